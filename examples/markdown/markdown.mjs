// A small Markdown converter: headings, paragraphs, lists (nested, numbered),
// quotes, fenced code, tables, rules; emphasis, code, links, images. HTML in the
// source is shown, not obeyed, and links lead only where links may lead.

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => text.replace(/[&<>"]/g, (c) => ENTITIES[c]);

const SAFE = /^(?:https?:|mailto:|[/#?.]|[\w-]+(?:[/.?#]|$))/i;
const address = (url) => (SAFE.test(url) ? escape(url) : '#');

/** inline converts what stands inside a line. Finished pieces are kept aside, so that no rule sees another's HTML. */
function inline(text) {
  const kept = [];
  const keep = (html) => `\0${kept.push(html) - 1}\0`;
  const out = escape(text.replaceAll('\0', '')
    .replace(/(`+)(.+?)\1/g, (_, ticks, code) => keep(`<code>${escape(code.trim())}</code>`))
    .replace(/\\([!-/:-@[-`{-~])/g, (_, c) => keep(escape(c)))
    .replace(/!\[([^\]]*)\]\(\s*([^\s)]+)\s*\)/g, (_, alt, url) => keep(`<img src="${address(url)}" alt="${escape(alt)}">`))
    .replace(/\[([^\]]+)\]\(\s*([^\s)]+)(?:\s+"([^"]*)")?\s*\)/g, (_, label, url, title) =>
      `${keep(`<a href="${address(url)}"${title ? ` title="${escape(title)}"` : ''}>`)}${label}${keep('</a>')}`)
    .replace(/<(https?:[^\s<>]+)>/g, (_, url) => keep(`<a href="${escape(url)}">${escape(url)}</a>`)))
    .replace(/\*\*(?=\S)(.+?)(?<=\S)\*\*/g, '<strong>$1</strong>')
    .replace(/\*(?=\S)(.+?)(?<=\S)\*/g, '<em>$1</em>')
    .replace(/(?<!\w)__(?=\S)(.+?)(?<=\S)__(?!\w)/g, '<strong>$1</strong>')
    .replace(/(?<!\w)_(?=\S)(.+?)(?<=\S)_(?!\w)/g, '<em>$1</em>')
    .replace(/~~(?=\S)(.+?)(?<=\S)~~/g, '<del>$1</del>')
    .replace(/(?: {2,}|\\)\n/g, '<br>\n');
  return out.replace(/\0(\d+)\0/g, (_, n) => kept[n]);
}

const ITEM = /^( *)([-*+]|\d{1,9}[.)])( +)(.*)$/;
const TABLE_RULE = /^ *\|?(?: *:?-+:? *\|)+(?: *:?-+:? *)?\|? *$/;

/** cells splits a row of a table at the bars that aren't escaped. */
const cells = (row) => row.trim().replace(/^\|/, '').replace(/(?<!\\)\|$/, '').split(/(?<!\\)\|/)
  .map((cell) => inline(cell.trim().replaceAll('\\|', '|')));

function table(lines) {
  const align = lines[1].trim().replace(/^\||\|$/g, '').split('|').map((rule) => {
    const [, left, right] = /^(:?)-+(:?)$/.exec(rule.trim());
    const side = left && right ? 'center' : right ? 'right' : left ? 'left' : '';
    return side && ` style="text-align:${side}"`;
  });
  const row = (tag, line) => {
    const values = cells(line);
    return `<tr>${align.map((style, i) => `<${tag}${style}>${values[i] ?? ''}</${tag}>`).join('')}</tr>`;
  };
  const body = lines.slice(2).map((line) => row('td', line));
  return `<table>\n<thead>\n${row('th', lines[0])}\n</thead>\n<tbody>\n${body.join('\n')}\n</tbody>\n</table>`;
}

/** list converts the items of one list; what is indented below an item belongs to it. */
function list(lines) {
  const first = ITEM.exec(lines[0]);
  const ordered = /\d/.test(first[2]);
  const items = [];
  for (const line of lines) {
    const match = ITEM.exec(line);
    if (match && match[1].length <= first[1].length) {
      items.push({ indent: line.length - match[4].length, lines: [match[4]] });
    } else {
      const { indent, lines: own } = items.at(-1);
      own.push(line.replace(new RegExp(`^ {0,${indent}}`), ''));
    }
  }
  const loose = items.some((item) => item.lines.slice(0, -1).some((line, i) => line === '' && item.lines[i + 1] !== ''));
  const tag = ordered ? 'ol' : 'ul';
  const start = ordered && Number.parseInt(first[2], 10) !== 1 ? ` start="${Number.parseInt(first[2], 10)}"` : '';
  const html = items.map((item) => {
    const inner = blocks(item.lines);
    return `<li>${loose ? inner : inner.replace(/^<p>([^]*?)<\/p>/, '$1')}</li>`;
  });
  return `<${tag}${start}>\n${html.join('\n')}\n</${tag}>`;
}

const BREAKS = /^(?:#{1,6} | {0,3}(?:```|~~~)|> ?| {0,3}(?:[-*_] *){3,}$)/;

/** blocks converts lines: each turn of the loop takes one block off the front. */
function blocks(lines) {
  const out = [];
  let at = 0;
  const takeWhile = (test) => {
    const from = at;
    while (at < lines.length && test(lines[at])) at++;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at];
    const heading = /^(#{1,6}) +(.*?)(?: +#+)? *$/.exec(line);
    const fence = /^ {0,3}(```+|~~~+) *([\w+#.-]*)/.exec(line);
    if (line.trim() === '') {
      at++;
    } else if (heading) {
      at++;
      out.push(`<h${heading[1].length}>${inline(heading[2])}</h${heading[1].length}>`);
    } else if (fence) {
      at++;
      const code = takeWhile((next) => !next.trim().startsWith(fence[1]));
      at++;
      const language = fence[2] ? ` class="language-${escape(fence[2])}"` : '';
      out.push(`<pre><code${language}>${escape(code.map((text) => `${text}\n`).join(''))}</code></pre>`);
    } else if (/^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/.test(line)) {
      at++;
      out.push('<hr>');
    } else if (line.startsWith('>')) {
      const quoted = takeWhile((next) => next.startsWith('>')).map((text) => text.replace(/^> ?/, ''));
      out.push(`<blockquote>\n${blocks(quoted)}\n</blockquote>`);
    } else if (ITEM.test(line)) {
      const items = takeWhile((next) => ITEM.test(next) || next === '' || /^ {2}/.test(next));
      while (items.at(-1) === '') items.pop();
      out.push(list(items));
    } else if (line.includes('|') && TABLE_RULE.test(lines[at + 1] ?? '')) {
      out.push(table(takeWhile((next) => next.includes('|'))));
    } else {
      const text = [lines[at++], ...takeWhile((next) => next.trim() !== '' && !BREAKS.test(next) && !ITEM.test(next))];
      out.push(`<p>${inline(text.map((part) => part.trimStart()).join('\n').trimEnd())}</p>`);
    }
  }
  return out.join('\n');
}

/** toHtml converts a Markdown document. */
export function toHtml(markdown) {
  return blocks(markdown.replace(/\r\n?/g, '\n').replaceAll('\t', '    ').split('\n').map((line) => (line.trim() === '' ? '' : line)));
}

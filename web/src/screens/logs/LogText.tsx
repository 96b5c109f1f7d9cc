import type { CSSProperties, ReactNode } from 'react';
import { hasAnsi, parseAnsi, plain, type Style } from './ansi';
import classes from './LogText.module.css';
import { type Folded, fold, jsonOf } from './line';

// Of the palette the theme knows colours that can be read on its ground; others are moved towards its text.
const colorOf = (c: number | string | undefined) =>
  typeof c === 'number' ? `var(--ansi-${c % 8})` : c && `color-mix(in oklab, ${c} 50%, var(--h-text))`;
const groundOf = (c: number | string | undefined) =>
  c === undefined
    ? undefined
    : `color-mix(in srgb, ${typeof c === 'number' ? `var(--ansi-${c % 8})` : c} 14%, transparent)`;

function css(s: Style): CSSProperties {
  return {
    color: s.dim && s.color === undefined ? 'var(--h-soft)' : colorOf(s.color),
    background: groundOf(s.background),
    fontWeight: s.bold ? 700 : undefined,
    fontStyle: s.italic ? 'italic' : undefined,
    textDecoration: s.underline ? 'underline' : undefined,
  };
}

/** Marks where a text has what was searched. */
function marked(text: string, search: string): ReactNode {
  if (!search) return text;
  const parts: ReactNode[] = [];
  const low = text.toLowerCase();
  const what = search.toLowerCase();
  let at = 0;
  for (let i = low.indexOf(what); i >= 0 && parts.length < 200; i = low.indexOf(what, at)) {
    parts.push(text.slice(at, i), <mark key={i}>{text.slice(i, i + what.length)}</mark>);
    at = i + what.length;
  }
  parts.push(text.slice(at));
  return parts;
}

/** The text of a line, with its colours; a document of JSON is folded to its message and its fields. */
export function LogText({ text, search = '' }: { text: string; search?: string }) {
  if (hasAnsi(text))
    return parseAnsi(text).map((p, i) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a line never change places
      <span key={i} style={css(p.style)}>
        {marked(p.text, search)}
      </span>
    ));
  const doc = jsonOf(text);
  if (doc) return <FoldedText folded={fold(doc)} search={search} />;
  return marked(plain(text), search);
}

function FoldedText({ folded, search }: { folded: Folded; search: string }) {
  return (
    <>
      {folded.message !== undefined && <span>{marked(folded.message, search)} </span>}
      {folded.rest.map(([name, value]) => (
        <span key={name} className={classes.field}>
          <span className={classes.name}>{name}</span>=
          {marked(value.length > 120 ? `${value.slice(0, 120)}…` : value, search)}
        </span>
      ))}
    </>
  );
}

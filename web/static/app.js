// The dashboard, as small as it can be and still be of use: what is deployed,
// how it does, and what is being called. No framework and no build.
const callsShown = 40;
const every = 1000; // ms between looks
const phases = ['queue', 'sandbox', 'load', 'import', 'handler', 'reply'];
const iso = 'sv-SE'; // a locale that writes times as ISO 8601 does
const $ = id => document.getElementById(id);

class Refused extends Error {}

async function api(path, options) {
  const reply = await fetch(path, options).catch(() => { throw new Error("The server doesn't answer. Trying again …"); });
  if (reply.status === 401) throw new Refused();
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  const problem = await reply.json().catch(() => ({ detail: reply.statusText }));
  throw new Error([problem.detail, problem.hint].filter(Boolean).join(' — '));
}

// h makes an element. Text is never markup: children are nodes and strings.
function h(name, props = {}, ...children) {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children.filter(c => c !== null && c !== undefined));
  return e;
}

// ms reads a duration as Go writes it.
function ms(duration) {
  const unit = { h: 3.6e6, m: 6e4, s: 1e3, ms: 1, 'µs': 1e-3, ns: 1e-6 };
  let sum = 0;
  for (const [, n, u] of (duration ?? '').matchAll(/([\d.]+)(h|ms|m|s|µs|ns)/g)) sum += n * unit[u];
  return sum;
}

const show = n => n >= 1000 ? `${(n / 1000).toFixed(2)} s` : `${n.toFixed(n < 10 ? 2 : 0)} ms`;
const words = s => s.replaceAll('_', ' ');
const rate = n => n >= 100 ? n.toFixed(0) : n.toFixed(1);

// sync makes the children of a parent those of the items, in order. Nodes of
// items that stay are left alone, and with them the reader's focus.
function sync(parent, items, id, make, update) {
  const old = new Map([...parent.children].filter(c => c.dataset.id).map(c => [c.dataset.id, c]));
  let next = parent.querySelector(':scope > [data-id]');
  for (const item of items) {
    let node = old.get(id(item));
    if (node) old.delete(id(item));
    else (node = make(item)).dataset.id = id(item);
    update?.(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  old.forEach(node => node.remove());
}

let functions = [];
const revision = f => `${f.name} ${f.revision}`;

function route(method, url) {
  const { pathname } = new URL(url);
  const label = `${method ?? ''} ${pathname}`.trim();
  return method && method !== 'GET' ? h('span', { className: 'code' }, label) : h('a', { href: pathname, className: 'code' }, label);
}

function functionRow(f) {
  const v = f.version;
  const about = v ? `v${v.number} · ${v.runtime} · ${v.sandbox} · ${v.config.limits.memory} MiB` : 'no version serves';
  return h('tr', {},
    h('td', {}, h('strong', {}, f.name), h('span', { className: 'tag' }, f.public ? 'public' : 'needs a key'),
      h('span', { className: 'soft' }, about),
      ...f.urls.map((url, i) => route(f.routes[i - 1]?.method, url))),
    ...['calls/s', 'p50', 'errors'].map(label => {
      const cell = h('td', { className: 'num' });
      cell.dataset.label = label;
      return cell;
    }));
}

function showFunctions(metrics) {
  const by = new Map(metrics.map(m => [m.function, m]));
  sync($('functions').tBodies[0], functions, revision, functionRow, (row, f) => {
    const m = by.get(f.name);
    const [, calls, p50, errors] = row.cells;
    calls.textContent = m?.invocations ? rate(m.rate) : '–';
    p50.textContent = m?.invocations ? show(ms(m.p50)) : '–';
    errors.textContent = m?.invocations ? (m.errors ? `${m.errors} (${Math.max(1, Math.round(100 * m.errors / m.invocations))} %)` : '0') : '–';
    errors.className = m?.errors ? 'num failed' : 'num';
    errors.title = m ? Object.entries(m.outcomes).map(([k, n]) => `${words(k)}: ${n}`).join('\n') : '';
  });
  const live = functions.map(f => by.get(f.name)).filter(Boolean);
  const total = live.reduce((n, m) => n + m.rate, 0);
  $('deployed').textContent = `${functions.length} deployed · ${rate(total)} calls/s in the last minute`;
  $('home').hidden = functions.length === 0;
  $('empty').hidden = functions.length > 0;
}

function bar(call) {
  const all = phases.map(name => [name, ms(call.phases[name])]).filter(([, n]) => n > 0);
  const total = all.reduce((sum, [, n]) => sum + n, 0);
  const text = all.map(([name, n]) => `${name} ${show(n)}`).join(', ');
  const e = h('div', { className: 'bar', title: text, role: 'img', ariaLabel: text || 'no time' });
  for (const [name, n] of all) {
    const part = h('i', { className: name });
    part.style.width = `${100 * n / total}%`;
    e.append(part);
  }
  return e;
}

const reason = e => [e.type, e.message].filter(Boolean).join(': ');
const failed = call => call.outcome === 'ok' ? 'ok' : 'failed';

function callRows(call) {
  const at = new Date(call.at);
  return h('tbody', {},
    h('tr', {},
      h('td', { title: call.at }, at.toLocaleTimeString(iso)),
      h('td', {}, h('button', { className: 'link', title: 'Show this call', onclick: () => showCall(call).catch(trouble) }, call.function), ` v${call.version}`),
      h('td', { className: failed(call) }, words(call.outcome)),
      h('td', {}, call.start ? h('span', { className: call.start === 'warm' ? 'tag' : 'tag cold' }, call.start) : '–'),
      h('td', { className: 'num' }, show(ms(call.duration))),
      h('td', { className: 'wide' }, bar(call))),
    call.error ? h('tr', { className: 'why' }, h('td'), h('td', { colSpan: 5, className: 'soft', title: reason(call.error) }, reason(call.error))) : null);
}

async function showCall(call) {
  $('call-title').textContent = `${call.function} v${call.version}`;
  const output = h('pre', {}, '…');
  const e = call.error;
  $('call-body').replaceChildren(
    h('p', {}, h('span', { className: failed(call) }, words(call.outcome)), ` after ${show(ms(call.duration))}, ${call.start ?? 'no'} start, ${new Date(call.at).toLocaleString(iso)}`),
    h('p', { className: 'soft' }, h('span', { className: 'code' }, call.id), ` · by ${call.trigger}${call.caller ? `, ${call.caller}` : ''}`),
    bar(call),
    h('ul', { className: 'legend' }, ...phases.filter(p => ms(call.phases[p])).map(p => h('li', {}, h('i', { className: p }), `${p} ${show(ms(call.phases[p]))}`))),
    ...(e ? [h('h3', {}, 'Error'), h('pre', { className: 'failed' }, e.trace || reason(e)), h('p', {}, e.hint ?? '')] : []),
    h('h3', {}, 'Output'), output);
  $('call').showModal();
  const { items } = await api(`/api/v1/logs?limit=1000&invocation=${call.id}`);
  const own = items.filter(l => l.stream !== 'platform'); // which repeats the error
  output.textContent = own.map(l => l.text).join('\n') || 'It printed nothing.';
}

function showCalls(calls) {
  const first = !$('calls').tBodies.length;
  sync($('calls'), calls, call => call.id, callRows, node => first || node.isConnected || node.classList.add('new'));
  $('calls').hidden = calls.length === 0;
  $('no-calls').hidden = calls.length > 0;
}

function trouble(error) {
  $('trouble').hidden = !error;
  $('trouble').textContent = error?.message ?? '';
  $('live').classList.toggle('off', Boolean(error));
}

let timer, events, paused = false;

function leave() {
  clearTimeout(timer);
  events?.close();
  events = undefined;
  $('home').hidden = $('empty').hidden = $('out').hidden = true;
  $('who').textContent = '';
  $('call').close();
  $('sign-in').hidden = false;
  $('key').focus();
}

function guard(action) {
  return async (...args) => {
    try {
      await action(...args);
      trouble();
    } catch (error) {
      error instanceof Refused ? leave() : trouble(error);
    }
  };
}

async function load() {
  functions = (await api('/api/v1/functions?limit=1000')).items;
  await look();
}

async function look() {
  const [metrics, calls] = await Promise.all([api('/api/v1/metrics?span=1m'), api(`/api/v1/invocations?limit=${callsShown}`)]);
  showFunctions(metrics.functions);
  if (!paused) showCalls(calls.items);
}

const tick = async () => {
  if (!document.hidden) await guard(look)();
  if (events) timer = setTimeout(tick, every);
};

const enter = guard(async () => {
  const me = await api('/auth/session');
  if (!me) throw new Refused();
  $('sign-in').hidden = true;
  $('out').hidden = false;
  $('who').textContent = me.user.name === me.user.role ? me.user.name : `${me.user.name} (${me.user.role})`;
  await load();
  events = new EventSource('/api/v1/events');
  events.onopen = events.onmessage = guard(load); // a server that came back may have others
  timer = setTimeout(tick, every);
});

$('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  try {
    await api('/auth/sign-in', { method: 'POST', body: JSON.stringify({ key: $('key').value }) });
    $('key').value = '';
    await enter();
  } catch (error) {
    trouble(error instanceof Refused ? new Error("That key isn't known, or has expired.") : error);
  }
});

$('out').addEventListener('click', guard(async () => {
  await api('/auth/sign-out', { method: 'POST' });
  leave();
}));

$('pause').addEventListener('click', () => {
  paused = !paused;
  $('pause').ariaPressed = paused;
  $('pause').textContent = paused ? 'Resume' : 'Pause';
  $('live').textContent = paused ? 'paused' : 'live';
  $('live').classList.toggle('paused', paused);
});

$('home').querySelector('.legend').append(...phases.map(p => h('li', {}, h('i', { className: p }), p)));
$('origin').textContent = location.origin;
await enter();
if (location.hash === '#link-ended') {
  if (!events) trouble(new Error('That link was used already, or is older than ten minutes. Make another with: hearth open'));
  history.replaceState(null, '', location.pathname);
}

// The dashboard, as small as it can be and still be of use: what is deployed,
// where it answers, and what is being called. No framework and no build.
const $ = id => document.getElementById(id);
const callsShown = 50;
const every = 2000;

class Refused extends Error {}

async function api(path, options) {
  const reply = await fetch(path, options);
  if (reply.status === 401) throw new Refused();
  if (reply.ok) return reply.status === 204 ? null : reply.json();
  const problem = await reply.json().catch(() => ({ detail: reply.statusText }));
  throw new Error([problem.detail, problem.hint].filter(Boolean).join(' — '));
}

function element(name, props = {}, ...children) {
  const e = Object.assign(document.createElement(name), props);
  e.append(...children);
  return e;
}

function card(f) {
  const v = f.version;
  return element('article', {},
    element('h3', {}, f.name, element('span', { className: 'tag' }, f.public ? 'public' : 'needs a key')),
    element('p', {}, v ? `${v.runtime} · ${v.sandbox} · version ${v.number} · ${v.config.limits.memory} MiB` : 'no version serves'),
    element('ul', {}, ...f.urls.map((url, i) => {
      const route = f.routes[i - 1];
      const path = new URL(url).pathname + (route?.path.endsWith('*') ? '…' : '');
      return element('li', {}, route?.method ? route.method + ' ' : '', element('a', { href: new URL(url).pathname }, path));
    })));
}

const ms = d => {
  let sum = 0;
  for (const [, n, unit] of (d || '0s').matchAll(/([\d.]+)(h|ms|m|s|µs|us|ns)/g))
    sum += n * { h: 3.6e6, m: 6e4, s: 1e3, ms: 1, 'µs': 1e-3, us: 1e-3, ns: 1e-6 }[unit];
  return sum;
};
const show = n => n >= 1000 ? (n / 1000).toFixed(2) + ' s' : n.toFixed(n < 10 ? 2 : 0) + ' ms';

function row(call) {
  const phases = Object.entries(call.phases).filter(([, d]) => ms(d) > 0).map(([k, d]) => `${k} ${show(ms(d))}`);
  const outcome = element('td', { className: call.outcome === 'ok' ? 'ok' : 'failed' }, call.outcome.replaceAll('_', ' '));
  if (call.error) outcome.title = call.error.message;
  return element('tr', { title: call.id },
    element('td', {}, new Date(call.at).toLocaleTimeString()),
    element('td', {}, `${call.function}@${call.version}`),
    outcome,
    element('td', {}, call.start || '–'),
    element('td', { className: 'num' }, show(ms(call.duration))),
    element('td', { className: 'soft' }, phases.join(' · ')));
}

async function showFunctions() {
  const { items } = await api('/api/v1/functions?limit=1000');
  $('empty').hidden = items.length > 0;
  $('functions').replaceChildren(...items.map(card));
}

async function showCalls() {
  const { items } = await api('/api/v1/invocations?limit=' + callsShown);
  $('no-calls').hidden = items.length > 0;
  $('calls').hidden = items.length === 0;
  $('calls').tBodies[0].replaceChildren(...items.map(row));
}

function trouble(error) {
  $('trouble').hidden = !error;
  $('trouble').textContent = error?.message ?? '';
  $('live').classList.toggle('off', Boolean(error));
}

let timer, events;

function leave() {
  clearTimeout(timer);
  events?.close();
  $('home').hidden = $('out').hidden = true;
  $('who').textContent = '';
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

const tick = async () => {
  if (!document.hidden) await guard(showCalls)();
  if (!$('home').hidden) timer = setTimeout(tick, every);
};

const enter = guard(async () => {
  const { user } = await api('/api/v1/whoami');
  $('sign-in').hidden = true;
  $('home').hidden = $('out').hidden = false;
  $('who').textContent = `${user.name} (${user.role})`;
  await showFunctions();
  events = new EventSource('/api/v1/events');
  events.onmessage = guard(showFunctions);
  tick();
});

$('sign-in').addEventListener('submit', async event => {
  event.preventDefault();
  try {
    await api('/auth/sign-in', { method: 'POST', body: JSON.stringify({ key: $('key').value }) });
    $('key').value = '';
    enter();
  } catch (error) {
    trouble(error instanceof Refused ? new Error("That key isn't known, or has expired.") : error);
  }
});

$('out').addEventListener('click', guard(async () => {
  await api('/auth/sign-out', { method: 'POST' });
  leave();
}));

enter();

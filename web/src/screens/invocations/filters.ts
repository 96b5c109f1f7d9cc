// What a list of invocations is narrowed to. It lives in the address; the server applies it to what is
// stored, and `matches` to what the stream brings.
import type { Schemas } from '../../api/client';
import { parseDuration } from '../../components/format';
import { withParams } from '../../hooks/useUrlState';

export type Invocation = Schemas['Invocation'];

export const orders = ['newest', 'oldest', 'slowest', 'memory', 'cost'] as const;
export type Order = (typeof orders)[number];

export interface Filters {
  function: string;
  version: string;
  /** Outcomes, or "failed": all but ok, throttled and cancelled. Empty is any. */
  outcome: string[];
  /** "cold", or the starts themselves. Empty is any. */
  start: string[];
  trigger: string;
  /** As people and Go write it: "300ms", "3s". */
  min: string;
  /** The least share of the memory limit that was used, "0.9". */
  memory: string;
  /** The beginning of an id. */
  id: string;
  /** Part of an error's type or message. */
  text: string;
  /** A group of errors. */
  fingerprint: string;
  order: Order;
}

export const noFilters: Filters = {
  function: '',
  version: '',
  outcome: [],
  start: [],
  trigger: '',
  min: '',
  memory: '',
  id: '',
  text: '',
  fingerprint: '',
  order: 'newest',
};

const single = ['function', 'version', 'trigger', 'min', 'memory', 'id', 'text', 'fingerprint'] as const;
const lists = ['outcome', 'start'] as const;

/** Reads the filters of an address. What makes no sense there is left out. */
export function readFilters(params: URLSearchParams): Filters {
  const f: Filters = { ...noFilters };
  for (const name of single) f[name] = params.get(name)?.trim() ?? '';
  for (const name of lists) f[name] = (params.get(name) ?? '').split(',').filter(Boolean);
  const order = params.get('order');
  if (orders.includes(order as Order)) f.order = order as Order;
  if (f.min && !durationOf(f.min)) f.min = '';
  if (f.version && !/^[1-9]\d{0,8}$/.test(f.version)) f.version = '';
  if (f.memory && !(Number(f.memory) > 0 && Number(f.memory) <= 1)) f.memory = '';
  return f;
}

/** A copy of the address with other filters; the rest of it stays. */
export function writeFilters(params: URLSearchParams, f: Filters): URLSearchParams {
  const changes: Record<string, string | null> = { order: f.order === noFilters.order ? null : f.order };
  for (const name of single) changes[name] = f[name] || null;
  for (const name of lists) changes[name] = f[name].join(',') || null;
  return withParams(params, changes);
}

/** "300", "300ms", "1.5 s" as Go writes them; bare numbers are milliseconds. "" for what is none. */
export function durationOf(text: string): string {
  const t = text.replaceAll(' ', '');
  const go = /^\d+(\.\d+)?$/.test(t) ? `${t}ms` : t;
  return parseDuration(go) > 0 ? go : '';
}

/** The query for the API. */
export function toQuery(f: Filters) {
  return {
    function: f.function || undefined,
    version: f.version ? Number(f.version) : undefined,
    outcome: f.outcome.length ? (f.outcome as ['failed']) : undefined,
    start: f.start.length ? (f.start as ['cold']) : undefined,
    trigger: (f.trigger || undefined) as 'http' | undefined,
    min_duration: f.min ? durationOf(f.min) : undefined,
    min_memory_share: f.memory ? Number(f.memory) : undefined,
    id: f.id || undefined,
    text: f.text || undefined,
    fingerprint: f.fingerprint || undefined,
    sort: f.order,
  };
}

const failed = (outcome: string) => !['ok', 'throttled', 'cancelled'].includes(outcome);

/** The share of its memory limit that a call used at most; null where it isn't known. */
export function memoryShare(i: Invocation): number | null {
  return i.usage && i.memory_limit ? i.usage.memory_peak / i.memory_limit : null;
}

/** What a call cost: the memory that it reserved for as long as it had it, in GB-seconds. */
export function gbSeconds(i: Invocation): number {
  const seconds = parseDuration(i.duration) - parseDuration(i.phases.queue);
  return ((i.memory_limit ?? 0) / 2 ** 30) * Math.max(0, seconds);
}

/** Whether a call that the stream brings belongs in the list: what the server does with those it has. */
export function matches(i: Invocation, f: Filters): boolean {
  if (f.function && i.function !== f.function) return false;
  if (f.version && i.version !== Number(f.version)) return false;
  if (f.outcome.length && !f.outcome.some((o) => o === i.outcome || (o === 'failed' && failed(i.outcome))))
    return false;
  if (
    f.start.length &&
    !f.start.some((s) => i.start && (s === i.start || (s === 'cold' && i.start !== 'warm')))
  )
    return false;
  if (f.trigger && i.trigger !== f.trigger) return false;
  if (f.min && parseDuration(i.duration) < parseDuration(durationOf(f.min))) return false;
  if (f.memory && (memoryShare(i) ?? 0) < Number(f.memory)) return false;
  if (f.id && !i.id.startsWith(f.id.toUpperCase())) return false;
  if (f.fingerprint && i.fingerprint !== f.fingerprint) return false;
  if (f.text) {
    const text = f.text.toLowerCase();
    const of = (s: string | undefined) => s?.toLowerCase().includes(text) ?? false;
    if (!of(i.error?.type) && !of(i.error?.message)) return false;
  }
  return true;
}

/** Whether anything but function and order is narrowed. */
export function isFiltered(f: Filters): boolean {
  return single.some((name) => name !== 'function' && f[name]) || lists.some((name) => f[name].length > 0);
}

export interface Preset {
  name: string;
  about: string;
  filters: Partial<Filters>;
}

/** Views that people open again and again. */
export const presets: Preset[] = [
  { name: 'All', about: 'Every call, the newest first', filters: {} },
  { name: 'Errors', about: 'Calls that failed', filters: { outcome: ['failed'] } },
  { name: 'Slowest', about: 'The longest first', filters: { order: 'slowest' } },
  { name: 'Cold starts', about: 'Calls whose sandbox was new to the version', filters: { start: ['cold'] } },
  { name: '≥ 90 % of memory', about: 'Calls close to their limit', filters: { memory: '0.9' } },
  { name: 'Most expensive', about: 'Most GB-seconds first', filters: { order: 'cost' } },
];

/** Puts a preset in the place of all filters but the function and version. */
export const withPreset = (f: Filters, p: Preset): Filters => ({
  ...noFilters,
  function: f.function,
  version: f.version,
  ...p.filters,
});

/** The preset that the filters are, if they are one. */
export function presetOf(f: Filters): Preset | undefined {
  const same = (a: Filters, b: Filters) => JSON.stringify(a) === JSON.stringify(b);
  const ordered = (x: Filters): Filters => ({ ...noFilters, ...x });
  return presets.find((p) => same(ordered(f), ordered(withPreset(f, p))));
}

/** The same list on the command line, which has no flags for trigger, memory and groups of errors. */
export function toCommand(f: Filters): string {
  const words = ['hearth invocations'];
  const flag = (name: string, value: string) => value && words.push(`--${name} ${quote(value)}`);
  if (f.function) words.push(quote(f.function));
  flag('version', f.version);
  for (const o of f.outcome)
    if (o === 'failed') words.push('--failed');
    else flag('outcome', o);
  for (const s of f.start) flag('start', s);
  flag('slower', f.min && durationOf(f.min));
  flag('grep', f.text);
  if (f.order !== 'newest') flag('sort', f.order);
  return words.join(' ');
}

/** Quotes a word for a shell where it has to be. */
export const quote = (s: string): string =>
  /^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", "'\\''")}'`;

/** The same list with curl, as a path of the API. */
export function toPath(f: Filters): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(toQuery(f)))
    if (Array.isArray(value)) for (const v of value) params.append(name, v);
    else if (value !== undefined && value !== 'newest') params.set(name, String(value));
  return `/api/v1/invocations${params.size ? `?${params}` : ''}`;
}

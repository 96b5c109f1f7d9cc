// What the log view is narrowed to. As with invocations it lives in the address; the server applies it to
// what is stored, `matches` to what the stream brings.
import { withParams } from '../../hooks/useUrlState';
import { quote } from '../invocations/filters';
import { type LogLine, levelOf, levels } from './line';

export interface LogFilters {
  function: string;
  version: string;
  invocation: string;
  level: string;
  stream: string;
  text: string;
}

export const noLogFilters: LogFilters = {
  function: '',
  version: '',
  invocation: '',
  level: '',
  stream: '',
  text: '',
};

const names = Object.keys(noLogFilters) as (keyof LogFilters)[];
export const streams = ['stdout', 'stderr', 'platform'];

export function readLogFilters(params: URLSearchParams): LogFilters {
  const f = { ...noLogFilters };
  for (const name of names) f[name] = params.get(name)?.trim() ?? '';
  if (f.version && !/^[1-9]\d{0,8}$/.test(f.version)) f.version = '';
  if (f.stream && !streams.includes(f.stream)) f.stream = '';
  if (f.level && !levels.includes(f.level as never)) f.level = '';
  f.invocation = f.invocation.toUpperCase();
  return f;
}

export const writeLogFilters = (params: URLSearchParams, f: LogFilters): URLSearchParams =>
  withParams(params, Object.fromEntries(names.map((name) => [name, f[name] || null])));

export const toLogQuery = (f: LogFilters) => ({
  function: f.function || undefined,
  version: f.version ? Number(f.version) : undefined,
  invocation: f.invocation || undefined,
  level: f.level ? [f.level as 'error'] : undefined,
  stream: (f.stream || undefined) as 'stdout' | undefined,
  text: f.text || undefined,
});

export function matchesLog(l: LogLine, f: LogFilters): boolean {
  return (
    (!f.function || l.function === f.function) &&
    (!f.version || l.version === Number(f.version)) &&
    (!f.invocation || l.invocation === f.invocation) &&
    (!f.stream || l.stream === f.stream) &&
    (!f.level || levelOf(l.level) === f.level) &&
    (!f.text || l.text.toLowerCase().includes(f.text.toLowerCase()))
  );
}

export const isLogFiltered = (f: LogFilters): boolean => names.some((n) => n !== 'function' && f[n] !== '');

/** The topic of the stream that has all lines of the filters. */
export const topicOf = (f: LogFilters): string => (f.function ? `logs:${f.function}` : 'logs');

/** The same on the command line. */
export function toLogCommand(f: LogFilters): string {
  const words = ['hearth logs -f'];
  if (f.function) words.push(f.function);
  for (const name of ['version', 'invocation', 'level', 'stream', 'text'] as const)
    if (f[name]) words.push(`--${name === 'text' ? 'grep' : name} ${quote(f[name])}`);
  return words.join(' ');
}

export function toLogPath(f: LogFilters): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(toLogQuery(f)))
    if (value !== undefined) params.set(name, String(value));
  params.set('newest', 'true');
  return `/api/v1/logs?${params}`;
}

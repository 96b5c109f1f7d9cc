// What a log line says beyond its text.
import type { Schemas } from '../../api/client';
import { plain } from './ansi';

export type LogLine = Schemas['LogLine'];

export const levels = ['error', 'warn', 'info', 'debug'] as const;
export type Level = (typeof levels)[number];

const names: Record<string, Level> = {
  fatal: 'error',
  critical: 'error',
  error: 'error',
  err: 'error',
  warn: 'warn',
  warning: 'warn',
  notice: 'info',
  info: 'info',
  log: 'info',
  debug: 'debug',
  trace: 'debug',
};

/** The level of a name as logging libraries write it; undefined for what isn't one. */
export const levelOf = (name: string | undefined): Level | undefined =>
  name ? names[name.toLowerCase()] : undefined;

const most = 64 << 10;

/** The document that a line is, if it is an object of JSON. */
export function jsonOf(text: string): Record<string, unknown> | null {
  if (text.length > most || !/^\s*\{.*\}\s*$/s.test(text)) return null;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && Object.keys(value).length > 0
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

export interface Folded {
  /** Its message, by the names that logging libraries use. */
  message?: string;
  level?: Level;
  rest: [name: string, value: string][];
}

const messages = ['message', 'msg', 'event', 'text'];
const moments = new Set(['time', 'timestamp', 'ts', '@timestamp']);

/** A document in one line: its message, then the rest as name and value. */
export function fold(doc: Record<string, unknown>): Folded {
  const key = messages.find((k) => typeof doc[k] === 'string');
  const level = ['level', 'severity', 'levelname'].find((k) => levelOf(String(doc[k])));
  const rest = Object.entries(doc)
    .filter(([k]) => k !== key && k !== level && !moments.has(k))
    .map(([k, v]): [string, string] => [k, typeof v === 'string' ? v : JSON.stringify(v)]);
  return {
    message: key && (doc[key] as string),
    level: level ? levelOf(String(doc[level])) : undefined,
    rest,
  };
}

/** A line as a file or another program wants it. */
export const asText = (l: LogLine): string =>
  [l.at, l.function, `v${l.version}`, l.invocation ?? '-', l.level ?? l.stream, plain(l.text)].join(' ');

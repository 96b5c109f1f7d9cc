import { useMemo } from 'react';
import { useSearchParams } from 'wouter';
import { withParams } from './useUrlState';

export const ranges = { '15m': 900, '1h': 3_600, '6h': 21_600, '24h': 86_400, '7d': 604_800 } as const;
export type RangeName = keyof typeof ranges;
const usual: RangeName = '1h';

/** The span of time that all screens show: the last so many seconds, or two fixed moments. */
export interface TimeRange {
  /** A name of `ranges`, or "custom". */
  name: RangeName | 'custom';
  seconds: number;
  /** The moments of a custom range, unix seconds. */
  from?: number;
  to?: number;
}

/** Reads the range of an address; what it can't read is the last hour. */
export function parseRange(params: URLSearchParams): TimeRange {
  const from = Number(params.get('from'));
  const to = Number(params.get('to'));
  if (from > 0 && to > from) return { name: 'custom', seconds: to - from, from, to };
  const name = params.get('range') ?? usual;
  const known = Object.hasOwn(ranges, name) ? (name as RangeName) : usual;
  return { name: known, seconds: ranges[known] };
}

/** The range as two moments (RFC 3339), for queries. Relative ranges end now. */
export function momentsOf(range: TimeRange, now = Date.now()): { from: string; to: string } {
  const to = range.to ? range.to * 1000 : now;
  const from = range.from ? range.from * 1000 : to - range.seconds * 1000;
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** The same range for the command line, as in "--since 24h". */
export function rangeFlags(range: TimeRange): string {
  if (range.name !== 'custom') return `--since ${range.name}`;
  const { from, to } = momentsOf(range);
  return `--since ${from} --until ${to}`;
}

/** The query of an address without all but the range, for links between screens. */
export function rangeQuery(params: URLSearchParams): string {
  const kept = new URLSearchParams();
  for (const name of ['range', 'from', 'to']) {
    const value = params.get(name);
    if (value) kept.set(name, value);
  }
  return kept.size ? `?${kept}` : '';
}

/** The range in the address, and how to change it. Use `key` in the keys of queries. */
export function useTimeRange() {
  const [params, setParams] = useSearchParams();
  const range = useMemo(() => parseRange(params), [params]);
  return {
    range,
    key: range.name === 'custom' ? `${range.from}-${range.to}` : range.name,
    /** Shows the last so long. */
    choose: (name: RangeName) =>
      setParams((now) => withParams(now, { range: name === usual ? null : name, from: null, to: null })),
    /** Shows a fixed span (unix seconds), as when a chart is zoomed. */
    zoom: (from: number, to: number) =>
      setParams((now) =>
        withParams(now, { range: null, from: String(Math.floor(from)), to: String(Math.ceil(to)) }),
      ),
  };
}

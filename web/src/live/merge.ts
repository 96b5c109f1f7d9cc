// Puts the seconds that the stream tells of into an answer of metrics, until the next answer has them.
// Counts are summed, which is exact; quantiles of several seconds can't be made of theirs, and wait.
import type { Schemas } from '../api/client';
import { parseDuration } from '../components/format';

export type LiveMetrics = Schemas['LiveMetrics'];
type LiveSeries = Schemas['LiveSeries'];
type MetricData = Schemas['MetricData'];
type MetricSeries = Schemas['MetricSeries'];
type Numbers = (number | null)[];

interface Second {
  at: number;
  series?: LiveSeries;
  host?: Schemas['LiveHost'];
}

/**
 * The last seconds of one function (or of the whole server, ""), as the stream told them: never more
 * than `most`, however long they come. Seconds that weren't told of had no calls.
 */
export class Seconds {
  private ring: Second[] = [];
  /** Nothing is known of what was before. */
  private since = Number.POSITIVE_INFINITY;

  constructor(
    readonly of: string,
    private readonly most = 3_600,
  ) {}

  get size(): number {
    return this.ring.length;
  }

  /** The beginning of the newest second; 0 if there is none. */
  get newest(): number {
    return this.ring[this.ring.length - 1]?.at ?? 0;
  }

  /** Takes a second; returns whether there were calls in it. */
  add(event: LiveMetrics): boolean {
    if (event.at <= this.newest) return false; // told twice, or the clock was set back
    const series = event.series?.find((s) => s.function === this.of);
    this.since = Math.min(this.since, event.at);
    this.ring.push({ at: event.at, series, host: event.host });
    if (this.ring.length > this.most) {
      this.ring.splice(0, this.ring.length - this.most);
      this.since = this.ring[0]!.at;
    }
    return (series?.requests ?? 0) > 0;
  }

  /** Forgets all, as when the stream broke off. */
  clear(): void {
    this.ring = [];
    this.since = Number.POSITIVE_INFINITY;
  }

  /** The seconds in a span of which all was told; null where something may be missing. */
  within(from: number, to: number): Second[] | null {
    if (from < this.since) return null;
    let first = this.ring.length;
    while (first > 0 && this.ring[first - 1]!.at >= from) first--;
    return this.ring.slice(first).filter((s) => s.at < to);
  }
}

/**
 * A copy of an answer with the newest seconds in it: its last step grows, and new steps begin while as
 * many old ones go. Steps that aren't wholly known stay as they are.
 */
export function extend(data: MetricData, seconds: Seconds): MetricData {
  const step = parseDuration(data.step);
  const last = data.at[data.at.length - 1];
  if (last === undefined || seconds.size === 0 || seconds.newest < last) return data;
  const added = Math.min(Math.floor((seconds.newest - last) / step), data.at.length);
  const known = seconds.within(last, last + step);
  if (added === 0 && !known?.length) return data;

  const old = data.at.length;
  const slid = slide(data, old, added) as MetricData;
  for (let i = 1; i <= added; i++) slid.at[old - added + i - 1] = last + i * step;
  for (let i = old - 1 - added; i < old; i++) {
    if (i < 0) continue;
    const told = seconds.within(slid.at[i]!, slid.at[i]! + step);
    if (!told?.length) continue;
    for (const series of slid.series)
      if (series.function === seconds.of && !series.version) put(series, i, told);
    if (slid.host) putHost(slid.host, i, told);
  }
  return slid;
}

/** A deep copy in which every list that has a value for each step lost its first ones for new gaps. */
function slide(value: unknown, length: number, by: number): unknown {
  if (Array.isArray(value)) {
    if (value.length === length && !value.some((v) => typeof v === 'object' && v !== null))
      return [...value.slice(by), ...new Array<null>(by).fill(null)];
    return value.map((v) => slide(v, length, by));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, v]) => [name, slide(v, length, by)]));
}

/** An answer knows more than what was told of a step only if it came later: the greater count is right. */
function raise(values: Numbers | undefined, i: number, to: number) {
  if (values) values[i] = Math.max(values[i] ?? 0, to);
}

function put(series: MetricSeries, i: number, told: Second[]) {
  const sum = (of: (s: LiveSeries) => number | null | undefined) =>
    told.reduce((total, s) => total + ((s.series && of(s.series)) || 0), 0);
  raise(
    series.requests,
    i,
    sum((s) => s.requests),
  );
  raise(
    series.errors,
    i,
    sum((s) => s.errors),
  );
  raise(
    series.cpu,
    i,
    sum((s) => s.cpu),
  );
  const outcomes = series.outcomes;
  if (outcomes) {
    for (const name of new Set([
      ...Object.keys(outcomes),
      ...told.flatMap((s) => Object.keys(s.series?.outcomes ?? {})),
    ])) {
      outcomes[name] ??= (series.requests ?? []).map((n) => (n === null ? null : 0));
      raise(
        outcomes[name],
        i,
        sum((s) => s.outcomes[name]),
      );
    }
  }
  const busy = told.filter((s) => s.series && s.series.requests > 0);
  const { duration } = series;
  if (duration && busy.length === 1)
    for (const q of ['p50', 'p95', 'p99'] as const) {
      const values = duration[q];
      if (values && values[i] === null) values[i] = busy[0]!.series![q];
    }
}

function putHost(host: Schemas['HostSeries'], i: number, told: Second[]) {
  const mean = (of: (h: Schemas['LiveHost']) => number | null) => {
    const values = told.map((s) => (s.host ? of(s.host) : null)).filter((v) => v !== null);
    return values.length ? values.reduce((a, b) => a + b, 0) / values.length : null;
  };
  host.cpu[i] = mean((h) => h.cpu) ?? host.cpu[i] ?? null;
  host.memory[i] = mean((h) => h.memory) ?? host.memory[i] ?? null;
}

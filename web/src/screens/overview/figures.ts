// Figures of tiles, from an answer of metrics.
import type { MetricSeries } from '../../api/metrics';
import type { Values } from '../../charts/data';

/** The sum of what is there; null if nothing is. */
export function total(values: Values | undefined): number | null {
  let sum: number | null = null;
  for (const v of values ?? []) if (v !== null) sum = (sum ?? 0) + v;
  return sum;
}

/** The mean of what is there; null if nothing is. */
export function mean(values: Values | undefined): number | null {
  const sum = total(values);
  return sum === null ? null : sum / values!.filter((v) => v !== null).length;
}

/** One list divided by another, as errors by requests. Nothing of nothing is a gap. */
export function ratio(of: Values | undefined, by: Values | undefined): Values {
  return (by ?? []).map((n, i) => (n ? (of?.[i] ?? 0) / n : null));
}

/** How many sandboxes there were in all states together. */
export function sandboxCount(series: MetricSeries | undefined): Values {
  const states = Object.values(series?.sandboxes ?? {}).filter((s) => s !== null);
  return (states[0] ?? []).map((_, i) =>
    states.every((s) => s[i] === null) ? null : states.reduce((sum, s) => sum + (s[i] ?? 0), 0),
  );
}

export interface Delta {
  text: string;
  /** Whether it is for the better; nothing if it is neither. */
  tone?: 'good' | 'bad';
  up: boolean;
}

/** The change since the period before; null where either is unknown, or there is nothing to compare. */
export function deltaOf(
  now: number | null | undefined,
  before: number | null | undefined,
  { better, points = false }: { better?: 'more' | 'less'; points?: boolean } = {},
): Delta | null {
  if (now == null || before == null) return null;
  const change = points ? (now - before) * 100 : before === 0 ? null : ((now - before) / before) * 100;
  if (change === null) return null;
  const size = Math.abs(change);
  const least = points ? 0.05 : 0.5;
  if (size < least) return { text: points ? '0 pp' : '0 %', up: false };
  const number = size >= 1000 ? '>999' : size < 10 ? size.toFixed(1).replace(/\.0$/, '') : size.toFixed(0);
  const up = change > 0;
  return {
    text: `${number} ${points ? 'pp' : '%'}`,
    up,
    tone: better && (up === (better === 'more') ? 'good' : 'bad'),
  };
}

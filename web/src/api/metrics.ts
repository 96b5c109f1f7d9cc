import { useQuery } from '@tanstack/react-query';
import type { ChartMarker } from '../charts/TimeChart';
import { formatTime, parseDuration } from '../components/format';
import { momentsOf, useTimeRange } from '../hooks/useTimeRange';
import { usePolling } from '../live/context';
import { api, type Schemas, unwrap } from './client';

export type MetricSeries = Schemas['MetricSeries'];

export interface MetricsQuery {
  /** Names of functions; ['*'] is each by itself, none is the whole server. */
  function?: string[];
  version?: number;
  group?: 'function' | 'version';
  outcome?: string[];
  /** What is wanted; see the API. All but pools, batch and host if not given. */
  fields?: string[];
  /** A Go duration; chosen for at most 120 steps if not given. */
  step?: string;
}

/**
 * Metrics over the time range of the address, read again as time goes on: every few seconds for short
 * ranges, rarely for long ones. One call answers for many functions; don't call it for each.
 */
export function useMetricsQuery(query: MetricsQuery, { enabled = true, atMostEvery = 2_000 } = {}) {
  const { range, key } = useTimeRange();
  const every = Math.max(atMostEvery, Math.min(60_000, (range.seconds * 1000) / 600));
  const interval = usePolling(every);
  return useQuery({
    queryKey: ['metrics', key, query],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/metrics/query', { params: { query: { ...query, ...momentsOf(range) } }, signal }),
      ),
    refetchInterval: range.name === 'custom' ? false : interval,
    placeholderData: (before) => before,
    enabled,
  });
}

/** Seconds between the steps of an answer. */
export const stepOf = (answer: { step: string }): number => parseDuration(answer.step);

/** The deploys in an answer, as charts mark them; those that would overlap share a mark. */
export function markersOf(answer: Schemas['MetricData'] | undefined): ChartMarker[] {
  if (!answer) return [];
  const near = Math.max(1, stepOf(answer) * 6);
  const marks: (ChartMarker & { count: number })[] = [];
  for (const d of answer.deploys) {
    const at = Date.parse(d.at) / 1000;
    const about = `${d.function} version ${d.version} ${d.kind}${d.by ? ` by ${d.by}` : ''}, ${formatTime(d.at, { millis: false })}`;
    const before = marks[marks.length - 1];
    if (before && at - before.at < near) {
      before.count++;
      before.label = `${before.count} deploys`;
      before.about = before.count <= 8 ? `${before.about}\n${about}` : before.about;
    } else marks.push({ at, count: 1, label: `v${d.version}`, about });
  }
  return marks.map(({ at, label, about }) => ({ at, label, about }));
}

import { useEffect, useMemo, useRef, useState } from 'react';
import { type MetricsQuery, useMetricsQuery } from '../api/metrics';
import { useTimeRange } from '../hooks/useTimeRange';
import { useLive, useLiveStatus } from './context';
import { extend, type LiveMetrics, Seconds } from './merge';

/**
 * Metrics of one function, or of the whole server, that move with the stream: each second's counts are
 * shown as they come, and the quantiles, which only the server can merge, are asked for soon after.
 * Without a stream they are read again every few seconds; a fixed range in the past stays as it is.
 */
export function useLiveMetrics(query: MetricsQuery) {
  const result = useMetricsQuery(query);
  const { range, key } = useTimeRange();
  const status = useLiveStatus();
  const of = query.function?.[0] ?? '';
  const rolling = range.name !== 'custom';
  const seconds = useRef(new Seconds(of));
  const [told, setTold] = useState(0);
  const again = useAgain(() => void result.refetch(), Math.min(5_000, Math.max(1_000, range.seconds / 2.4)));

  // What is told after a break doesn't join what was told before it.
  // biome-ignore lint/correctness/useExhaustiveDependencies: each of them begins anew
  useEffect(() => {
    seconds.current = new Seconds(of);
  }, [of, status, key]);

  useLive(rolling ? (of ? `metrics:${of}` : 'metrics') : null, (event, data) => {
    if (event === 'lost') return seconds.current.clear();
    const metrics = data as LiveMetrics;
    const busy = seconds.current.add(metrics);
    if (busy) again();
    setTold(metrics.at);
  });

  // Versions aren't told apart by the stream.
  const mergeable = rolling && !query.version && query.group !== 'version' && !query.outcome?.length;
  // biome-ignore lint/correctness/useExhaustiveDependencies: told says that the ring has changed
  const data = useMemo(
    () => result.data && (mergeable ? extend(result.data, seconds.current) : result.data),
    [result.data, told, mergeable],
  );
  return { ...result, data };
}

/** Calls act at once, and then at most every `gap` ms; the last call is never left out. */
function useAgain(act: () => void, gap: number): () => void {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef(act);
  const last = useRef(0);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    if (timer.current !== undefined) return;
    const wait = Math.max(0, last.current + gap - Date.now());
    timer.current = setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      latest.current();
    }, wait);
  };
}

import { SegmentedControl, Skeleton, Stack } from '@mantine/core';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { type MetricSeries, useMetricsQuery } from '../../api/metrics';
import { useFunctions } from '../../api/queries';
import { useUsage } from '../../api/usage';
import { Sparkline } from '../../charts/Sparkline';
import { formatCount, formatSeconds, formatShare } from '../../components/format';
import { Nothing, Panel } from '../../components/Panel';
import { ErrorState } from '../../components/states';
import { hasScreen, useInvocationsHref } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useTimeRange } from '../../hooks/useTimeRange';
import { useUrlState } from '../../hooks/useUrlState';
import classes from './overview.module.css';

type Order = 'traffic' | 'errors' | 'p95' | 'gbs';

export interface TopRow {
  name: string;
  value: number;
  text: string;
  series?: MetricSeries;
}

/** The five functions with the most of something. */
export function topOf(series: MetricSeries[], order: Exclude<Order, 'gbs'>): TopRow[] {
  const of = {
    traffic: (s: MetricSeries) => s.total.requests,
    errors: (s: MetricSeries) => s.total.errors,
    p95: (s: MetricSeries) => s.total.p95 ?? 0,
  }[order];
  const text = {
    traffic: (s: MetricSeries) => formatCount(s.total.requests),
    errors: (s: MetricSeries) => `${formatCount(s.total.errors)} · ${formatShare(s.total.error_rate)}`,
    p95: (s: MetricSeries) => formatSeconds(s.total.p95),
  }[order];
  return series
    .map((s) => ({ name: s.function, value: of(s), text: text(s), series: s }))
    .filter((row) => row.value > 0)
    .sort((a, b) => b.value - a.value || a.name.localeCompare(b.name))
    .slice(0, 5);
}

const orders: { value: Order; label: string }[] = [
  { value: 'traffic', label: 'Traffic' },
  { value: 'errors', label: 'Errors' },
  { value: 'p95', label: 'p95' },
  { value: 'gbs', label: 'GB-s' },
];

/** The functions that matter most, by traffic, errors, time or memory. */
export function Top() {
  const [chosen, choose] = useUrlState('top', 'traffic');
  const order = orders.find((o) => o.value === chosen)?.value ?? 'traffic';
  const functions = useFunctions();
  const { range } = useTimeRange();
  const many = (functions.data?.length ?? 0) > 100;
  const metrics = useMetricsQuery({
    function: ['*'],
    fields: ['requests', 'totals'],
    // Steps for each of a thousand functions would be megabytes.
    step: many ? `${Math.max(1, Math.round(range.seconds / 20))}s` : undefined,
  });
  const usage = useUsage({ enabled: order === 'gbs' });
  const href = useScreenHref();
  const callsHref = useInvocationsHref();
  const detail = hasScreen('/functions/:name');
  const rows = useMemo<TopRow[]>(() => {
    if (order !== 'gbs') return topOf(metrics.data?.series ?? [], order);
    const sums = new Map<string, number>();
    for (const u of usage.data?.functions ?? [])
      sums.set(u.function, (sums.get(u.function) ?? 0) + u.gb_seconds);
    return [...sums]
      .map(([name, value]) => ({
        name,
        value,
        text: formatCount(value),
        series: metrics.data?.series.find((s) => s.function === name),
      }))
      .sort((a, b) => b.value - a.value)
      .slice(0, 5);
  }, [metrics.data, usage.data, order]);
  const query = order === 'gbs' ? usage : metrics;
  const greatest = rows[0]?.value ?? 1;

  return (
    <Panel
      title="Top functions"
      id="top"
      actions={
        <SegmentedControl
          size="xs"
          value={order}
          onChange={choose}
          data={orders}
          aria-label="Order of the top functions"
        />
      }
    >
      {query.data === undefined && query.isError ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : query.data === undefined ? (
        <Stack gap={8}>
          {[1, 2, 3, 4, 5].map((n) => (
            <Skeleton key={n} height={36} />
          ))}
        </Stack>
      ) : rows.length === 0 ? (
        <Nothing>
          {order === 'errors' ? 'Nothing failed in this range of time' : 'No calls in this range of time'}
        </Nothing>
      ) : (
        <ol className={classes.top}>
          {rows.map((row) => (
            <li key={row.name} className={classes.topRow}>
              <div style={{ minWidth: 0 }}>
                <Link
                  href={detail ? href(`/functions/${row.name}`) : href('/functions', { filter: row.name })}
                  className={classes.topName}
                >
                  {row.name}
                </Link>
                <span
                  className={classes.topBar}
                  style={{ width: `${Math.max(1, (100 * row.value) / greatest)}%` }}
                />
              </div>
              {row.series ? (
                <Sparkline
                  values={(order === 'errors' ? row.series.errors : row.series.requests) ?? []}
                  label={`${order === 'errors' ? 'Errors' : 'Calls'} of ${row.name}`}
                  width={84}
                  height={24}
                  color={order === 'errors' ? '--outcome-function-error' : '--chart-2'}
                />
              ) : (
                <span />
              )}
              <span className={`${classes.topValue} num`}>
                {hasScreen('/invocations') ? (
                  <Link
                    href={callsHref({
                      function: row.name,
                      outcome: order === 'errors' ? 'failed' : undefined,
                      order: order === 'p95' ? 'slowest' : order === 'gbs' ? 'cost' : undefined,
                    })}
                    aria-label={`${row.text}: the calls of ${row.name}`}
                  >
                    {row.text}
                  </Link>
                ) : (
                  row.text
                )}
              </span>
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

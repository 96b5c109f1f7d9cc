// The charts of what is counted of calls, the same on all screens. Clicking one opens the calls behind it.
import { Switch } from '@mantine/core';
import { type ReactNode, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import type { Schemas } from '../api/client';
import { type MetricSeries, markersOf, stepOf } from '../api/metrics';
import { formatCount, formatSeconds, formatShare } from '../components/format';
import { outcomes } from '../components/OutcomeBadge';
import { type InvocationsFilter, useInvocationsHref } from '../hooks/useInvocationsHref';
import type { Values } from './data';
import { type ChartSeries, TimeChart, type TimeChartProps } from './TimeChart';
import classes from './TimeChart.module.css';

export type MetricData = Schemas['MetricData'];

interface MetricChartProps {
  data: MetricData;
  series: MetricSeries | undefined;
  /** What calls the chart is about, for those that a point opens. */
  of?: InvocationsFilter;
  height?: number;
  title?: string;
}

/** What all charts of an answer share: its steps, and its deploys as marks. */
export function useFrame(data: MetricData): Pick<TimeChartProps, 'at' | 'step' | 'markers'> {
  return useMemo(() => ({ at: data.at, step: stepOf(data), markers: markersOf(data) }), [data]);
}

/** Opens the calls behind a point. */
export function useOpenCalls(of: InvocationsFilter = {}) {
  const [, navigate] = useLocation();
  const href = useInvocationsHref();
  return (more: InvocationsFilter) => navigate(href({ ...of, ...more }));
}

/** "30 s", for what is counted by steps. */
export const stepText = (data: MetricData) => formatSeconds(stepOf(data)).replace(/^1 (?=[a-z])/, '');

/** A list of gaps and zeros that is as long as the others, for an outcome that never occurred. */
const nothing = (series: MetricSeries | undefined, length: number): Values =>
  series?.requests?.map((n) => (n === null ? null : 0)) ?? new Array<null>(length).fill(null);

/** Calls by how they ended. */
export function VolumeChart({ data, series, of, height, title = 'Request volume' }: MetricChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(() => {
    const by = series?.outcomes ?? {};
    return Object.entries(outcomes)
      .filter(([key]) => key === 'ok' || by[key]?.some((n) => n))
      .map(([key, { label, color }]) => ({
        key,
        label,
        color,
        values: by[key] ?? nothing(series, data.at.length),
      }));
  }, [series, data.at.length]);
  return (
    <TimeChart
      {...frame}
      title={title}
      series={shown}
      format={formatCount}
      stacked
      atLeast={4}
      height={height}
      actions={<Unit>calls per {stepText(data)}</Unit>}
      onPoint={(from, to, key) => open({ from, to, outcome: key === 'ok' ? undefined : key })}
    />
  );
}

const quantiles = [
  { key: 'p50', label: 'p50', color: '--chart-3' },
  { key: 'p90', label: 'p90', color: '--chart-2' },
  { key: 'p95', label: 'p95', color: '--chart-4' },
  { key: 'p99', label: 'p99', color: '--chart-1' },
] as const;

/** How long calls took: the median, the band up to the 99th, and the quantiles between. */
export function DurationChart({
  data,
  series,
  of,
  height,
  title = 'Response times',
  max = false,
  scale = false,
}: MetricChartProps & {
  /** Dots for the longest of each step. */
  max?: boolean;
  /** A switch for a logarithmic scale. */
  scale?: boolean;
}) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const [logarithmic, setLogarithmic] = useState(false);
  const shown = useMemo<ChartSeries[]>(() => {
    const d = series?.duration;
    const none = new Array<null>(data.at.length).fill(null);
    const lines: ChartSeries[] = quantiles.map((q) => ({ ...q, values: d?.[q.key] ?? none }));
    if (max)
      lines.push({ key: 'max', label: 'max', color: '--chart-5', kind: 'dots', values: d?.max ?? none });
    return lines;
  }, [series, data.at.length, max]);
  return (
    <TimeChart
      {...frame}
      title={title}
      series={shown}
      format={formatSeconds}
      band={['p50', 'p99']}
      atLeast={0.001}
      height={height}
      logarithmic={logarithmic}
      actions={
        scale && (
          <Switch
            size="xs"
            label="Logarithmic"
            checked={logarithmic}
            onChange={(event) => setLogarithmic(event.currentTarget.checked)}
          />
        )
      }
      onPoint={(from, to) => open({ from, to, order: 'slowest' })}
    />
  );
}

/** The share of calls that failed. */
export function ErrorRateChart({ data, series, of, height, title = 'Error rate' }: MetricChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(
    () => [
      {
        key: 'errors',
        label: 'failed',
        color: '--outcome-function-error',
        kind: 'area',
        // Where nothing was called, nothing failed; a gap is where the server wasn't there.
        values: (series?.requests ?? []).map((n, i) =>
          n === null ? null : n ? (series?.errors?.[i] ?? 0) / n : 0,
        ),
      },
    ],
    [series],
  );
  return (
    <TimeChart
      {...frame}
      title={title}
      series={shown}
      format={formatShare}
      atLeast={0.05}
      height={height}
      actions={<Unit>share of calls</Unit>}
      onPoint={(from, to) => open({ from, to, outcome: 'failed' })}
    />
  );
}

/** The machine, and what Hearth itself takes of it. */
export function HostChart({
  data,
  height,
  title = 'Resource utilisation',
}: Omit<MetricChartProps, 'series'>) {
  const frame = useFrame(data);
  const { host } = data;
  const shown = useMemo<ChartSeries[]>(() => {
    const share = (values: Values | undefined) =>
      (values ?? []).map((v) => (v === null || !host?.memory_total ? null : v / host.memory_total));
    return [
      { key: 'cpu', label: 'Host CPU', color: '--chart-1', kind: 'area', values: host?.cpu ?? [] },
      { key: 'memory', label: 'Host memory', color: '--chart-2', values: share(host?.memory) },
      {
        key: 'hearth_cpu',
        label: "Hearth's CPU",
        color: '--chart-5',
        dashed: true,
        values: host?.hearth_cpu ?? [],
      },
      {
        key: 'hearth_memory',
        label: "Hearth's memory",
        color: '--chart-6',
        dashed: true,
        values: share(host?.hearth_memory),
      },
    ];
  }, [host]);
  return (
    <TimeChart
      {...frame}
      title={title}
      series={shown}
      format={formatShare}
      atLeast={1}
      height={height}
      actions={<Unit>share of the machine</Unit>}
    />
  );
}

/** What the numbers of a chart are, beside its title. */
export function Unit({ children }: { children: ReactNode }) {
  return <span className={classes.unit}>{children}</span>;
}

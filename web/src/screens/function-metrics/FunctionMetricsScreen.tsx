// All that is counted of one function, or of one of its versions.
import { Button, Menu, Select, Skeleton } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconDownload, IconTerminal2 } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { api, unwrap } from '../../api/client';
import type { MetricSeries } from '../../api/metrics';
import { allPages, useFunction, type Version } from '../../api/queries';
import { latest, type Values } from '../../charts/data';
import {
  DurationChart,
  ErrorRateChart,
  type MetricData,
  stepText,
  Unit,
  useFrame,
  useOpenCalls,
  VolumeChart,
} from '../../charts/metrics';
import { type ChartSeries, TimeChart } from '../../charts/TimeChart';
import { formatBytes, formatCount, formatSeconds, formatShare } from '../../components/format';
import { curlOf } from '../../components/PageHeader';
import { ErrorState } from '../../components/states';
import type { InvocationsFilter } from '../../hooks/useInvocationsHref';
import { rangeFlags, useTimeRange } from '../../hooks/useTimeRange';
import { useUrlState } from '../../hooks/useUrlState';
import { useLiveMetrics } from '../../live/metrics';
import { download, toCsv } from './csv';
import classes from './metrics.module.css';
import { promqlOf } from './promql';

const fields = [
  'requests',
  'outcomes',
  'starts',
  'duration',
  'queue',
  'start',
  'cpu',
  'memory',
  'bytes',
  'sandboxes',
];

export default function FunctionMetricsScreen({ params }: { params: Record<string, string> }) {
  const name = params.name!;
  const { range } = useTimeRange();
  const [chosen, choose] = useUrlState('version');
  const version = /^[1-9]\d{0,8}$/.test(chosen) ? Number(chosen) : undefined;
  const fn = useFunction(name);
  const versions = useQuery({
    queryKey: ['versions', name],
    queryFn: ({ signal }) =>
      allPages<Version>((cursor) =>
        unwrap(
          api.GET('/api/v1/functions/{name}/versions', {
            params: { path: { name }, query: { limit: 100, cursor } },
            signal,
          }),
        ),
      ),
  });
  const metrics = useLiveMetrics({ function: [name], version, fields });
  const { data } = metrics;
  const series = data?.series[0];
  const shown = version ? versions.data?.find((v) => v.number === version) : fn.data?.version;
  const of = useMemo<InvocationsFilter>(() => ({ function: name, version }), [name, version]);
  const copy = (title: string, text: string) =>
    navigator.clipboard?.writeText(text).then(
      () => notifications.show({ title, message: text }),
      () => notifications.show({ title: 'Copy it from here', message: text, autoClose: false }),
    );
  return (
    <>
      <div className={classes.bar}>
        <Select
          aria-label="Version"
          value={chosen || 'all'}
          onChange={(value) => choose(value === 'all' || !value ? '' : value)}
          data={[
            { value: 'all', label: 'All versions' },
            ...(versions.data ?? []).map((v) => ({
              value: String(v.number),
              label: `v${v.number}${v.number === fn.data?.active_version ? ' (serves)' : ''}`,
            })),
          ]}
          allowDeselect={false}
          size="xs"
          w={170}
        />
        <Menu position="bottom-end" width={240}>
          <Menu.Target>
            <Button
              variant="subtle"
              color="gray"
              size="xs"
              leftSection={<IconTerminal2 size={15} stroke={1.6} />}
            >
              Copy a query
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Label>PromQL</Menu.Label>
            {promqlOf(name).map(({ label, query }) => (
              <Menu.Item key={label} onClick={() => copy('Copied', query)}>
                {label}
              </Menu.Item>
            ))}
            <Menu.Divider />
            <Menu.Item onClick={() => copy('Copied', `hearth metrics ${name} ${rangeFlags(range)}`)}>
              Command line
            </Menu.Item>
            <Menu.Item
              onClick={() =>
                copy(
                  'Copied',
                  curlOf(`/api/v1/metrics/query?function=${name}${version ? `&version=${version}` : ''}`),
                )
              }
            >
              curl
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <Button
          variant="subtle"
          color="gray"
          size="xs"
          leftSection={<IconDownload size={15} stroke={1.6} />}
          disabled={!series}
          onClick={() => download(`${name}-metrics.csv`, toCsv(data!, series!))}
        >
          CSV
        </Button>
      </div>
      {!data ? (
        metrics.isError ? (
          <ErrorState error={metrics.error} retry={() => void metrics.refetch()} />
        ) : (
          <div className={classes.charts} aria-busy="true">
            {[1, 2, 3, 4, 5, 6].map((n) => (
              <Skeleton key={n} height={290} radius="lg" />
            ))}
          </div>
        )
      ) : (
        <>
          <Figures series={series} version={shown} />
          <div className={classes.charts} id="charts">
            <VolumeChart data={data} series={series} of={of} />
            <DurationChart data={data} series={series} of={of} max scale />
            <ErrorRateChart data={data} series={series} of={of} />
            <CpuChart data={data} series={series} of={of} />
            <MemoryChart data={data} series={series} of={of} version={shown} />
            <ConcurrencyChart data={data} series={series} of={of} version={shown} />
            <QueueChart data={data} series={series} of={of} />
            <StartsChart data={data} series={series} of={of} />
            <StartTimeChart data={data} series={series} of={of} />
            <BytesChart data={data} series={series} of={of} />
          </div>
        </>
      )}
    </>
  );
}

/** The whole range as one. */
export function Figures({ series, version }: { series: MetricSeries | undefined; version?: Version }) {
  const t = series?.total;
  const ran = t ? t.requests - t.throttled : 0;
  const limit = version && version.config.limits.memory! * 2 ** 20;
  const figures: [string, string, string | undefined][] = [
    [
      'Requests',
      (t?.requests ?? 0).toLocaleString('en'),
      t?.throttled ? `${t.throttled} throttled` : undefined,
    ],
    ['Errors', (t?.errors ?? 0).toLocaleString('en'), formatShare(t?.error_rate)],
    ['p50', formatSeconds(t?.p50), undefined],
    ['p95', formatSeconds(t?.p95), undefined],
    ['p99', formatSeconds(t?.p99), t?.max != null ? `max ${formatSeconds(t.max)}` : undefined],
    [
      'CPU per call',
      ran && t?.cpu != null ? formatSeconds(t.cpu / ran) : '–',
      t?.cpu ? `${formatSeconds(t.cpu)} in all` : undefined,
    ],
    [
      'Memory peak',
      formatBytes(t?.memory_max),
      limit && t?.memory_max ? `${formatShare(t.memory_max / limit)} of ${formatBytes(limit)}` : undefined,
    ],
    [
      'Cold starts',
      (t?.cold_starts ?? 0).toLocaleString('en'),
      ran ? `${formatShare((t?.cold_starts ?? 0) / ran)} of calls` : undefined,
    ],
  ];
  return (
    <div className={classes.width}>
      <dl className={classes.figures} id="figures">
        {figures.map(([label, value, more]) => (
          <div key={label} data-figure={label}>
            <dt>{label}</dt>
            <dd className="num">
              {value}
              <small>{more ?? '\u00a0'}</small>
            </dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

interface ChartProps {
  data: MetricData;
  series: MetricSeries | undefined;
  of: InvocationsFilter;
}

const none = (data: MetricData): Values => new Array<null>(data.at.length).fill(null);

function CpuChart({ data, series, of }: ChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(
    () => [
      {
        key: 'cpu',
        label: 'CPU time per call',
        color: '--chart-1',
        kind: 'area',
        values: (series?.cpu ?? []).map((v, i) => {
          const ran = (series?.requests?.[i] ?? 0) - (series?.outcomes?.throttled?.[i] ?? 0);
          return v === null || ran <= 0 ? null : v / ran;
        }),
      },
    ],
    [series],
  );
  return (
    <TimeChart
      {...frame}
      title="CPU time"
      series={shown}
      format={formatSeconds}
      atLeast={0.001}
      actions={<Unit>mean per call</Unit>}
      onPoint={(from, to) => open({ from, to, order: 'cost' })}
    />
  );
}

export function MemoryChart({
  data,
  series,
  of,
  version,
  height,
}: ChartProps & { version?: Version; height?: number }) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const limit = version && version.config.limits.memory! * 2 ** 20;
  const shown = useMemo<ChartSeries[]>(
    () => [
      { key: 'p50', label: 'p50', color: '--chart-3', values: series?.memory?.p50 ?? none(data) },
      { key: 'p99', label: 'p99', color: '--chart-1', values: series?.memory?.p99 ?? none(data) },
      {
        key: 'max',
        label: 'max',
        color: '--chart-5',
        kind: 'dots',
        values: series?.memory?.max ?? none(data),
      },
    ],
    [series, data],
  );
  const threshold = useMemo(
    () => (limit ? { value: limit, label: `limit ${formatBytes(limit)}` } : undefined),
    [limit],
  );
  return (
    <TimeChart
      {...frame}
      title="Memory peak"
      series={shown}
      format={formatBytes}
      binary
      band={['p50', 'p99']}
      threshold={threshold}
      height={height}
      actions={<Unit>per call</Unit>}
      onPoint={(from, to) => open({ from, to, order: 'memory' })}
    />
  );
}

const stateColors: Record<string, string> = {
  busy: '--chart-1',
  idle: '--chart-2',
  loading: '--chart-4',
  starting: '--chart-5',
  draining: '--outcome-cancelled',
};

function ConcurrencyChart({ data, series, version }: ChartProps & { version?: Version }) {
  const frame = useFrame(data);
  const most = version?.config.max_scale;
  const shown = useMemo<ChartSeries[]>(() => {
    const states = series?.sandboxes ?? {};
    const names = [...new Set(['busy', 'idle', ...Object.keys(states)])];
    const any = Object.values(states)[0];
    return names
      .filter((state) => state === 'busy' || state === 'idle' || states[state]?.some((n) => n))
      .map((state) => ({
        key: state,
        label: state,
        color: stateColors[state] ?? '--chart-6',
        values: states[state] ?? any?.map((n) => (n === null ? null : 0)) ?? none(data),
      }));
  }, [series, data]);
  const threshold = useMemo(() => (most ? { value: most, label: `at most ${most}` } : undefined), [most]);
  return (
    <TimeChart
      {...frame}
      title="Sandboxes"
      series={shown}
      format={formatCount}
      stacked
      atLeast={2}
      threshold={threshold}
      actions={<Unit>by state, {formatCount(latest(shown[0]?.values ?? []) ?? 0)} busy</Unit>}
    />
  );
}

function QueueChart({ data, series, of }: ChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(
    () => [
      { key: 'p50', label: 'p50', color: '--chart-3', values: series?.queue?.p50 ?? none(data) },
      { key: 'p99', label: 'p99', color: '--chart-1', values: series?.queue?.p99 ?? none(data) },
    ],
    [series, data],
  );
  return (
    <TimeChart
      {...frame}
      title="Queue wait"
      series={shown}
      format={formatSeconds}
      band={['p50', 'p99']}
      atLeast={0.001}
      actions={<Unit>for a place</Unit>}
      onPoint={(from, to) => open({ from, to, order: 'slowest' })}
    />
  );
}

const startColors: Record<string, string> = {
  warm: '--chart-3',
  prewarmed: '--chart-1',
  forked: '--chart-5',
  spawned: '--chart-2',
  restored: '--chart-6',
};

function StartsChart({ data, series, of }: ChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(() => {
    const starts = series?.starts ?? {};
    const zeros = series?.requests?.map((n) => (n === null ? null : 0)) ?? none(data);
    return Object.keys(startColors)
      .filter((start) => start === 'warm' || starts[start]?.some((n) => n))
      .map((start) => ({
        key: start,
        label: start,
        color: startColors[start]!,
        values: starts[start] ?? zeros,
      }));
  }, [series, data]);
  return (
    <TimeChart
      {...frame}
      title="Warm and cold starts"
      series={shown}
      format={formatCount}
      stacked
      atLeast={4}
      actions={<Unit>calls per {stepText(data)}</Unit>}
      onPoint={(from, to, key) => open({ from, to, start: key ?? 'cold' })}
    />
  );
}

function StartTimeChart({ data, series, of }: ChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(
    () => [
      { key: 'p50', label: 'p50', color: '--chart-3', values: series?.start?.p50 ?? none(data) },
      { key: 'p99', label: 'p99', color: '--chart-1', values: series?.start?.p99 ?? none(data) },
    ],
    [series, data],
  );
  return (
    <TimeChart
      {...frame}
      title="Cold start time"
      series={shown}
      format={formatSeconds}
      band={['p50', 'p99']}
      atLeast={0.001}
      actions={<Unit>sandbox, loading, import</Unit>}
      onPoint={(from, to) => open({ from, to, start: 'cold', order: 'slowest' })}
    />
  );
}

function BytesChart({ data, series, of }: ChartProps) {
  const frame = useFrame(data);
  const open = useOpenCalls(of);
  const shown = useMemo<ChartSeries[]>(
    () => [
      { key: 'in', label: 'requests', color: '--chart-2', values: series?.bytes_in ?? none(data) },
      { key: 'out', label: 'replies', color: '--chart-1', values: series?.bytes_out ?? none(data) },
    ],
    [series, data],
  );
  return (
    <TimeChart
      {...frame}
      title="Bytes in and out"
      series={shown}
      format={formatBytes}
      binary
      atLeast={100}
      actions={<Unit>bodies, per {stepText(data)}</Unit>}
      onPoint={(from, to) => open({ from, to })}
    />
  );
}

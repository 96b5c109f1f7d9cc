// The dashboard's home: how the server is, what it does now, and where to look first.
import { Button, Skeleton } from '@mantine/core';
import { IconLambda } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { useFunctions } from '../../api/queries';
import { latest } from '../../charts/data';
import { DurationChart, ErrorRateChart, HostChart, VolumeChart } from '../../charts/metrics';
import { formatBytes, formatCount, formatRate, formatSeconds, formatShare } from '../../components/format';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, ErrorState } from '../../components/states';
import { hasScreen, useInvocationsHref } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import { momentsOf, rangeFlags, useTimeRange } from '../../hooks/useTimeRange';
import { useLiveStatus, usePolling } from '../../live/context';
import { useLiveMetrics } from '../../live/metrics';
import { Feed } from './Feed';
import { deltaOf, mean, ratio, sandboxCount, total } from './figures';
import { Health } from './Health';
import classes from './overview.module.css';
import { Tile } from './Tile';
import { Top } from './Top';

const fields = ['requests', 'outcomes', 'duration', 'sandboxes', 'host'];

/** The same figures of the period before, for the change since. */
function useBefore() {
  const { range, key } = useTimeRange();
  const every = usePolling(Math.max(10_000, (range.seconds * 1000) / 60));
  return useQuery({
    queryKey: ['metrics', 'before', key],
    queryFn: ({ signal }) => {
      const { from } = momentsOf(range);
      const before = momentsOf({ ...range, to: Date.parse(from) / 1000, from: undefined });
      return unwrap(
        api.GET('/api/v1/metrics/query', {
          params: { query: { ...before, fields: ['requests', 'totals', 'sandboxes'] } },
          signal,
        }),
      );
    },
    refetchInterval: range.name === 'custom' ? false : every,
    placeholderData: (data) => data,
  });
}

export default function OverviewScreen() {
  const { range } = useTimeRange();
  const functions = useFunctions();
  const metrics = useLiveMetrics({ fields });
  const { data } = metrics;
  const series = data?.series[0];
  return (
    <>
      <PageHeader
        title="Overview"
        about={<Freshness />}
        cli={`hearth metrics ${rangeFlags(range)}`}
        curl="/api/v1/metrics/query"
      />
      {functions.data?.length === 0 && !total(series?.requests) ? (
        <FirstRun />
      ) : (
        <>
          <Health />
          {!data && metrics.isError ? (
            <ErrorState error={metrics.error} retry={() => void metrics.refetch()} />
          ) : (
            <>
              <Tiles data={data} />
              <div className={classes.charts} id="charts">
                {data ? (
                  <>
                    <VolumeChart data={data} series={series} />
                    <DurationChart data={data} series={series} />
                    <ErrorRateChart data={data} series={series} />
                    <HostChart data={data} />
                  </>
                ) : (
                  [1, 2, 3, 4].map((n) => <Skeleton key={n} height={290} radius="lg" />)
                )}
              </div>
            </>
          )}
          <div className={classes.bottom}>
            <Top />
            <Feed />
          </div>
        </>
      )}
    </>
  );
}

/** Says how new the figures are, above all when they don't come by themselves. */
function Freshness() {
  const status = useLiveStatus();
  const { range } = useTimeRange();
  if (range.name === 'custom') return <>A fixed span of time: it doesn't move</>;
  return (
    <>
      {
        {
          live: 'Updated as calls end',
          reconnecting: 'The live connection was lost: figures may be some seconds old',
          polling: 'Not live: the figures are asked for every few seconds',
          paused: 'Not live: updates are paused',
          idle: 'Connecting',
        }[status]
      }
    </>
  );
}

function Tiles({ data }: { data: ReturnType<typeof useLiveMetrics>['data'] }) {
  const before = useBefore().data?.series[0];
  const callsHref = useInvocationsHref();
  const href = useScreenHref();
  const calls = hasScreen('/invocations');
  const series = data?.series[0];
  const figures = useMemo(() => {
    const requests = total(series?.requests);
    const errors = total(series?.errors) ?? 0;
    return {
      requests,
      errors,
      errorRate: requests ? errors / requests : 0,
      errorRates: ratio(series?.errors, series?.requests),
      sandboxes: sandboxCount(series),
    };
  }, [series]);
  const was = before && total(before.requests) !== null ? before : undefined;
  const host = data?.host;
  const ready = series !== undefined;
  const now = latest(figures.sandboxes);
  return (
    <div className={classes.tiles} id="tiles">
      <Tile
        label="Requests/s"
        value={ready ? formatRate(series.total.rate) : undefined}
        delta={deltaOf(series?.total.rate, was?.total.rate)}
        more={`${(figures.requests ?? 0).toLocaleString('en')} requests`}
        values={series?.requests ?? []}
        color="--chart-3"
        href={calls ? callsHref({}) : undefined}
      />
      <Tile
        label="Error rate"
        value={ready ? formatShare(figures.errorRate) : undefined}
        delta={deltaOf(figures.errorRate, was?.total.requests ? was.total.error_rate : null, {
          better: 'less',
          points: true,
        })}
        more={`${figures.errors.toLocaleString('en')} failed`}
        values={figures.errorRates}
        color="--outcome-function-error"
        href={calls ? callsHref({ outcome: 'failed' }) : undefined}
      />
      <Tile
        label="p95"
        value={ready ? formatSeconds(series.total.p95) : undefined}
        delta={deltaOf(series?.total.p95, was?.total.p95, { better: 'less' })}
        more={`p50 ${formatSeconds(series?.total.p50)} · p99 ${formatSeconds(series?.total.p99)}`}
        values={series?.duration?.p95 ?? []}
        color="--chart-4"
        href={calls ? callsHref({ order: 'slowest' }) : undefined}
      />
      <Tile
        label="Sandboxes"
        value={ready ? formatCount(now === null ? null : Math.round(now)) : undefined}
        delta={deltaOf(mean(figures.sandboxes), mean(sandboxCount(was)))}
        more={`CPU ${formatShare(latest(host?.cpu ?? []))} · memory ${formatBytes(latest(host?.memory ?? []))}`}
        values={figures.sandboxes}
        color="--chart-2"
        href={hasScreen('/sandboxes') ? href('/sandboxes') : undefined}
      />
    </div>
  );
}

function FirstRun() {
  const href = useScreenHref();
  return (
    <div id="empty">
      <EmptyState
        title="Nothing runs here yet"
        icon={<IconLambda size={22} stroke={1.6} />}
        actions={
          <Button component={Link} href={href(firstRun)}>
            {firstRun === '/functions' ? 'Open the functions' : 'Create a function'}
          </Button>
        }
      >
        Deploy a first function, and its calls appear here as they end.
      </EmptyState>
    </div>
  );
}

/** Where a first function is made: the page for that, if there is one. */
const firstRun = ['/first-run', '/start', '/new', '/functions/new'].find(hasScreen) ?? '/functions';

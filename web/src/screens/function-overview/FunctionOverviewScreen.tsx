// What is to be known of a function first: how it does, how it is set up, what went wrong lately.
import { Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { type FunctionInfo, useFunction } from '../../api/queries';
import { DurationChart, ErrorRateChart, VolumeChart } from '../../charts/metrics';
import { formatBytes, formatSeconds, parseDuration, words } from '../../components/format';
import { OutcomeBadge } from '../../components/OutcomeBadge';
import { Nothing, Panel } from '../../components/Panel';
import { ErrorState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { hasScreen, type InvocationsFilter, useInvocationsHref } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import { usePolling } from '../../live/context';
import { useLiveMetrics } from '../../live/metrics';
import { Figures, MemoryChart } from '../function-metrics/FunctionMetricsScreen';
import classes from './function.module.css';
import { QuickInvoke } from './QuickInvoke';

const fields = ['requests', 'outcomes', 'duration', 'cpu', 'memory'];

export default function FunctionOverviewScreen({ params }: { params: Record<string, string> }) {
  const name = params.name!;
  const fn = useFunction(name);
  const metrics = useLiveMetrics({ function: [name], fields });
  const { data } = metrics;
  const series = data?.series[0];
  const of = useMemo<InvocationsFilter>(() => ({ function: name }), [name]);
  return (
    <div className={classes.page}>
      <div className={classes.column}>
        {data ? (
          <>
            <Figures series={series} version={fn.data?.version} />
            <div className={classes.charts} id="charts">
              <VolumeChart data={data} series={series} of={of} height={150} />
              <DurationChart data={data} series={series} of={of} height={150} />
              <ErrorRateChart data={data} series={series} of={of} height={150} />
              <MemoryChart data={data} series={series} of={of} version={fn.data?.version} height={150} />
            </div>
          </>
        ) : metrics.isError ? (
          <ErrorState error={metrics.error} retry={() => void metrics.refetch()} />
        ) : (
          <div className={classes.charts} aria-busy="true">
            {[1, 2, 3, 4].map((n) => (
              <Skeleton key={n} height={230} radius="lg" />
            ))}
          </div>
        )}
        <LastErrors name={name} />
      </div>
      <div className={classes.column}>
        <QuickInvoke name={name} />
        {fn.data && <Setup fn={fn.data} />}
        <LastDeploy name={name} />
      </div>
    </div>
  );
}

/** The configuration in force, in short. */
function Setup({ fn }: { fn: FunctionInfo }) {
  const v = fn.version;
  if (!v) return null;
  const { limits, ...c } = v.config;
  const env = Object.keys(c.env ?? {}).length;
  const routes = (fn.routes ?? []).map((r) => `${r.method ?? ''} ${r.path}`.trim());
  const rows: [string, string][] = [
    ['Runtime', v.runtime],
    ['Handler', v.handler],
    ['Sandbox', v.sandbox],
    ['Memory', formatBytes(limits.memory! * 2 ** 20)],
    ['CPU', `${limits.cpu} ${limits.cpu === 1 ? 'core' : 'cores'}`],
    ['Time-out', formatSeconds(parseDuration(limits.timeout))],
    ['Network', c.network === 'egress' ? 'outwards' : 'none'],
    ['Calls per sandbox', String(c.concurrency || 1)],
    ['Sandboxes', `${c.min_warm} to ${c.max_scale || 'the server’s limit'}`],
    ['Environment', env === 1 ? '1 variable' : `${env} variables`],
    ['Code', formatBytes(v.code_bytes)],
  ];
  if (routes.length) rows.push([routes.length > 1 ? 'Routes' : 'Route', routes.join(', ')]);
  return (
    <Panel title="Configuration" id="setup" actions={<span className="soft">v{v.number}</span>}>
      <dl className={classes.config}>
        {rows.map(([label, value]) => [
          <dt key={`${label} t`}>{label}</dt>,
          <dd key={`${label} d`} className="num" style={{ whiteSpace: 'normal' }}>
            {value}
          </dd>,
        ])}
      </dl>
    </Panel>
  );
}

/** The last calls that failed, whenever that was. */
function LastErrors({ name }: { name: string }) {
  const href = useScreenHref();
  const callsHref = useInvocationsHref();
  const listed = hasScreen('/invocations');
  const failed = useQuery({
    queryKey: ['invocations', 'failed', name],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/invocations', {
          params: { query: { function: name, outcome: ['failed'], limit: 5 } },
          signal,
        }),
      ),
    refetchInterval: usePolling(3_000),
  });
  const items = failed.data?.items ?? [];
  return (
    <Panel
      title="Last errors"
      id="last-errors"
      actions={
        listed && items.length > 0 && <Link href={callsHref({ function: name, outcome: 'failed' })}>All</Link>
      }
    >
      {failed.data === undefined && failed.isError ? (
        <ErrorState error={failed.error} retry={() => void failed.refetch()} />
      ) : failed.data === undefined ? (
        <Skeleton height={90} />
      ) : items.length === 0 ? (
        <Nothing>No call has failed</Nothing>
      ) : (
        <ul className={classes.list}>
          {items.map((i) => {
            const text = i.error?.message ?? words(i.outcome);
            return (
              <li key={i.id} className={classes.error}>
                {listed ? (
                  <Link
                    href={href('/invocations', { function: name, outcome: 'failed', open: i.id })}
                    title={text}
                  >
                    {i.error?.type && <b>{i.error.type}: </b>}
                    {text}
                  </Link>
                ) : (
                  <span>{i.error?.type ? `${i.error.type}: ${text}` : text}</span>
                )}
                <span className={classes.when}>
                  <RelativeTime at={i.at} />
                </span>
                <span>
                  <OutcomeBadge outcome={i.outcome} />
                </span>
                <span className="soft">v{i.version}</span>
              </li>
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

function LastDeploy({ name }: { name: string }) {
  const deploys = useQuery({
    queryKey: ['deploys', name],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/deploys', { params: { query: { function: name, limit: 3 } }, signal })),
    refetchInterval: usePolling(10_000, { streamed: true }),
  });
  const items = deploys.data?.items ?? [];
  if (items.length === 0) return null;
  return (
    <Panel title="Last deploys" id="last-deploys">
      <ul className={classes.list}>
        {items.map((d) => (
          <li key={d.id} className={classes.error}>
            <span>
              <b>{d.version ? `v${d.version}` : ''}</b> {d.kind}
              {d.by && <span className="soft"> by {d.by}</span>}
              {d.message && <span className={classes.more}>{d.message}</span>}
            </span>
            <span className={classes.when}>
              <RelativeTime at={d.at} />
            </span>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

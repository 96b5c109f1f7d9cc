// What lives on this host at this moment: each sandbox, and the pools of prewarmed ones.
import { ActionIcon, Button, Group, Modal, Text, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { IconBolt, IconBox, IconHourglass, IconMoon, IconPlayerPlay, IconX } from '@tabler/icons-react';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type ReactNode, useCallback, useEffect, useMemo, useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { useMetricsQuery } from '../../api/metrics';
import { asProblem } from '../../api/problem';
import { useFunctions } from '../../api/queries';
import { useMay } from '../../api/session';
import { latest } from '../../charts/data';
import { type Column, DataTable } from '../../components/DataTable';
import { formatBytes, formatCount, formatSeconds, formatShare } from '../../components/format';
import { Tag, type Tone } from '../../components/OutcomeBadge';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { hasScreen } from '../../hooks/useInvocationsHref';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useLive, useLiveStatus, usePolling } from '../../live/context';
import { countStates, follow, type Pool, type Sandbox, type Snapshot, stateName } from './load';
import classes from './sandboxes.module.css';

const key = ['sandboxes'];

/** All sandboxes and pools, told of by the stream, or asked for every few seconds without one. */
function useSandboxes() {
  const queries = useQueryClient();
  useLive('sandboxes', (event, data) => {
    if (event !== 'sandboxes') return;
    const { items, pools } = data as { items: Sandbox[] | null; pools: Pool[] | null };
    queries.setQueryData<Snapshot>(key, (before) =>
      follow(before, { at: performance.now(), items: items ?? [], pools: pools ?? [] }),
    );
  });
  const query = useQuery({
    queryKey: key,
    queryFn: async ({ signal }): Promise<Snapshot> => {
      const [items, pools] = await Promise.all([
        unwrap(api.GET('/api/v1/sandboxes', { signal })),
        unwrap(api.GET('/api/v1/pools', { signal })),
      ]);
      const now = { at: performance.now(), items: items.items ?? [], pools: pools.items ?? [] };
      return follow(queries.getQueryData<Snapshot>(key), now);
    },
    refetchInterval: usePolling(3_000, { streamed: true }),
  });
  // The stream is silent as long as nothing changes: then nothing uses CPU either.
  const at = query.data?.at;
  const live = useLiveStatus() === 'live';
  useEffect(() => {
    if (!live || at === undefined) return;
    const timer = setTimeout(
      () =>
        queries.setQueryData<Snapshot>(
          key,
          (before) => before && follow(before, { ...before, at: performance.now() }),
        ),
      2_500,
    );
    return () => clearTimeout(timer);
  }, [at, live, queries]);
  return query;
}

interface Row extends Sandbox {
  cpu: number | null;
  /** Bytes; null where it isn't known. */
  limit: number | null;
}

const icon = { size: 13, 'aria-hidden': true } as const;
const states: Record<string, { tone: Tone; icon: ReactNode }> = {
  busy: { tone: 'good', icon: <IconPlayerPlay {...icon} /> },
  idle: { tone: 'neutral', icon: <IconMoon {...icon} /> },
  prewarmed: { tone: 'accent', icon: <IconBolt {...icon} /> },
  starting: { tone: 'warn', icon: <IconHourglass {...icon} /> },
  loading: { tone: 'warn', icon: <IconHourglass {...icon} /> },
  draining: { tone: 'warn', icon: <IconX {...icon} /> },
};

function StateTag({ state }: { state: string }) {
  const name = stateName(state);
  return (
    <Tag tone={states[name]?.tone} icon={states[name]?.icon}>
      {name}
    </Tag>
  );
}

function FunctionLink({ row }: { row: Row }) {
  const href = useScreenHref();
  if (!row.function) return <span className="soft">none yet</span>;
  return (
    <>
      {hasScreen('/functions/:name') ? (
        <Link href={href(`/functions/${row.function}`)} className={classes.name}>
          {row.function}
        </Link>
      ) : (
        <b>{row.function}</b>
      )}{' '}
      <span className="soft">v{row.version}</span>
    </>
  );
}

function columnsOf(kill: ((row: Row) => void) | null): Column<Row>[] {
  const columns: Column<Row>[] = [
    {
      key: 'function',
      title: 'Function',
      sort: (r) => r.function,
      render: (r) => <FunctionLink row={r} />,
    },
    {
      key: 'id',
      title: 'Sandbox',
      width: 130,
      from: 'lg',
      sort: (r) => r.id,
      render: (r) => (
        <span className="mono soft" title={r.id}>
          {r.id.length > 12 ? `…${r.id.slice(-10)}` : r.id}
        </span>
      ),
    },
    {
      key: 'state',
      title: 'State',
      width: 148,
      from: 'sm',
      sort: (r) => stateName(r.state),
      render: (r) => <StateTag state={r.state} />,
    },
    {
      key: 'runtime',
      title: 'Runtime',
      width: 116,
      from: 'lg',
      sort: (r) => r.runtime,
      render: (r) => (
        <span title={`${r.runtime} in a sandbox by the driver ${r.driver}`}>
          {r.runtime}
          <span className={classes.sub}>{r.driver}</span>
        </span>
      ),
    },
    {
      key: 'age',
      title: 'Age',
      width: 96,
      from: 'md',
      align: 'right',
      greatestFirst: false,
      sort: (r) => -Date.parse(r.created),
      render: (r) => <RelativeTime at={r.created} />,
    },
    {
      key: 'cpu',
      title: 'CPU',
      width: 76,
      from: 'sm',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.cpu,
      render: (r) => (
        <span className="num" title="of one core">
          {formatShare(r.cpu)}
        </span>
      ),
    },
    {
      key: 'memory',
      title: 'Memory',
      width: 'clamp(110px, 20vw, 172px)',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.usage.memory,
      render: (r) => {
        const share = r.limit ? r.usage.memory / r.limit : null;
        return (
          <span className="num" title={`at most ${formatBytes(r.usage.memory_peak)} so far`}>
            {formatBytes(r.usage.memory)}
            {r.limit && <span className="soft mantine-visible-from-sm"> of {formatBytes(r.limit)}</span>}
            {share !== null && (
              <span className={classes.bar} aria-hidden>
                <i style={{ width: `${Math.min(100, share * 100)}%` }} data-high={share > 0.9 || undefined} />
              </span>
            )}
          </span>
        );
      },
    },
    {
      key: 'in_flight',
      title: 'In flight',
      width: 84,
      from: 'md',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.in_flight,
      render: (r) => <span className="num">{r.in_flight}</span>,
    },
    {
      key: 'served',
      title: 'Served',
      width: 84,
      from: 'sm',
      align: 'right',
      greatestFirst: true,
      sort: (r) => r.served,
      render: (r) => <span className="num">{formatCount(r.served)}</span>,
    },
  ];
  if (kill)
    columns.push({
      key: 'kill',
      title: '',
      width: 70,
      align: 'right',
      render: (r) => (
        <Tooltip label="Kill">
          <ActionIcon aria-label={`Kill the sandbox ${r.id}`} onClick={() => kill(r)}>
            <IconX size={16} stroke={1.8} />
          </ActionIcon>
        </Tooltip>
      ),
    });
  return columns;
}

export default function SandboxesScreen() {
  const sandboxes = useSandboxes();
  const functions = useFunctions();
  const may = useMay('developer');
  const [victim, setVictim] = useState<Row | null>(null);
  const kill = useCallback((row: Row) => setVictim(row), []);
  const columns = useMemo(() => columnsOf(may ? kill : null), [may, kill]);
  const rows = useMemo<Row[]>(() => {
    const limits = new Map(
      functions.data?.map((f) => [`${f.name}@${f.active_version}`, f.version?.config.limits.memory]),
    );
    return (sandboxes.data?.items ?? []).map((s) => {
      const mebibytes = s.function ? limits.get(`${s.function}@${s.version}`) : undefined;
      return {
        ...s,
        cpu: sandboxes.data!.cpu.get(s.id) ?? null,
        limit: mebibytes ? mebibytes * 2 ** 20 : null,
      };
    });
  }, [sandboxes.data, functions.data]);
  return (
    <>
      <PageHeader
        title="Sandboxes"
        about={sandboxes.data && `${rows.length} live on this host`}
        cli="hearth top"
        curl="/api/v1/sandboxes"
      />
      <QueryState query={sandboxes}>
        {(data) => (
          <>
            <Pools pools={data.pools} />
            <h2 className={classes.title}>Live</h2>
            {rows.length === 0 ? (
              <div id="empty">
                <EmptyState title="No sandbox lives now" icon={<IconBox size={22} stroke={1.6} />}>
                  The next call of a function makes one; it stays warm for a while and then goes.
                </EmptyState>
              </div>
            ) : (
              <>
                <div className={classes.states}>
                  {countStates(data.items).map(([state, count]) => (
                    <Tag key={state} tone={states[state]?.tone} icon={states[state]?.icon}>
                      {count} {state}
                    </Tag>
                  ))}
                </div>
                <div id="sandboxes">
                  <DataTable
                    label="Sandboxes"
                    columns={columns}
                    rows={rows}
                    rowKey={(r) => r.id}
                    rowHeight={48}
                    sort="function"
                  />
                </div>
              </>
            )}
          </>
        )}
      </QueryState>
      <Kill row={victim} close={() => setVictim(null)} />
    </>
  );
}

/** Prewarmed sandboxes: ready of target for each runtime, and whether cold starts found one. */
function Pools({ pools }: { pools: Pool[] }) {
  const metrics = useMetricsQuery({ fields: ['pools'] });
  if (pools.length === 0) return null;
  return (
    <section aria-labelledby="pools-title" id="pools">
      <h2 className={classes.title} id="pools-title">
        Prewarmed
      </h2>
      <ul className={classes.pools}>
        {pools.map((pool) => {
          const series = metrics.data?.pools?.find(
            (p) => p.driver === pool.driver && p.runtime === pool.runtime && p.network === pool.network,
          );
          const asked = pool.hits + pool.misses;
          const target = Math.max(pool.ready, pool.target);
          return (
            <li key={`${pool.driver} ${pool.runtime} ${pool.network}`} className={classes.pool}>
              <div className={classes.poolHead}>
                <h3 className={classes.poolName}>{pool.runtime}</h3>
                <span className="soft" style={{ fontSize: '0.8125rem' }}>
                  {pool.driver} · {pool.network === 'egress' ? 'with network' : 'no network'}
                </span>
              </div>
              <div
                className={classes.dots}
                role="img"
                aria-label={`${pool.ready} of ${pool.target} are ready`}
              >
                {Array.from({ length: Math.min(12, target) }, (_, i) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: they differ by nothing else
                  <i key={i} data-ready={i < pool.ready || undefined} />
                ))}
              </div>
              <dl className={classes.facts}>
                <dt>Ready</dt>
                <dd className="num">
                  {pool.ready} of {pool.target}
                </dd>
                <dt title="Cold starts that found a prewarmed sandbox, since the server started">Hits</dt>
                <dd className="num">{formatCount(pool.hits)}</dd>
                <dt title="Cold starts that found none, since the server started">Misses</dt>
                <dd className="num" title={asked ? `${formatShare(pool.hits / asked)} were hits` : undefined}>
                  {formatCount(pool.misses)}
                </dd>
                <dt title="Time that making one takes: the median lately">Refill</dt>
                <dd className="num">{formatSeconds(latest(series?.refill.p50 ?? []))}</dd>
              </dl>
              {pool.error && <p className={classes.trouble}>{pool.error}</p>}
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Kill({ row, close }: { row: Row | null; close: () => void }) {
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    try {
      await unwrap(api.DELETE('/api/v1/sandboxes/{id}', { params: { path: { id: row!.id } } }));
      notifications.show({ message: `The sandbox ${row!.id} is gone` });
      close();
    } catch (error) {
      const { message, hint } = asProblem(error);
      notifications.show({ color: 'red', title: message, message: hint });
    } finally {
      setBusy(false);
      void queries.invalidateQueries({ queryKey: key });
    }
  };
  return (
    <Modal opened={row !== null} onClose={close} title="Kill this sandbox?">
      {row && (
        <>
          <Text>
            {row.in_flight > 0
              ? `${row.in_flight === 1 ? 'The call' : `The ${row.in_flight} calls`} in it will fail. `
              : 'No call is in it. '}
            {row.function
              ? `The next call of ${row.function} uses another one, or starts a new one.`
              : 'Another prewarmed one takes its place.'}
          </Text>
          <Text className="mono soft" mt="xs">
            {row.id}
          </Text>
        </>
      )}
      <Group justify="flex-end" mt="lg">
        <Button variant="default" onClick={close}>
          Cancel
        </Button>
        <Button color="red" loading={busy} onClick={() => void run()} data-autofocus>
          Kill
        </Button>
      </Group>
    </Modal>
  );
}

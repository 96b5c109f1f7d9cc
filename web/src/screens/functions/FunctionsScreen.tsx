import { ActionIcon, Button, Menu, SegmentedControl, TextInput } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import {
  IconAlertTriangle,
  IconCode,
  IconDots,
  IconFlame,
  IconMoonStars,
  IconPlugOff,
  IconPlus,
  IconSearch,
  IconTrash,
  IconWorld,
} from '@tabler/icons-react';
import { useMemo, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { type MetricSeries, useMetricsQuery } from '../../api/metrics';
import { type FunctionInfo, useDeleteFunction, useFunctions } from '../../api/queries';
import { useMay } from '../../api/session';
import { Sparkline } from '../../charts/Sparkline';
import { ConfirmByName } from '../../components/ConfirmByName';
import { type Column, DataTable } from '../../components/DataTable';
import { formatCount, formatRate, formatSeconds, formatShare } from '../../components/format';
import { Tag } from '../../components/OutcomeBadge';
import { PageHeader } from '../../components/PageHeader';
import { EmptyState, QueryState } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useTimeRange } from '../../hooks/useTimeRange';
import { useUrlState } from '../../hooks/useUrlState';
import classes from './FunctionsScreen.module.css';
import { type FunctionState, sparkStep, stateOf } from './rows';

interface Row {
  info: FunctionInfo;
  metrics?: MetricSeries;
  state: FunctionState;
}

function StateTag({ state }: { state: FunctionState }) {
  const icon = { size: 13, 'aria-hidden': true } as const;
  switch (state.kind) {
    case 'none':
      return (
        <Tag tone="warn" icon={<IconPlugOff {...icon} />}>
          no version
        </Tag>
      );
    case 'warm':
      return (
        <Tag tone="good" icon={<IconFlame {...icon} />} title={`${state.sandboxes} sandboxes are up`}>
          {state.sandboxes} warm
        </Tag>
      );
    default:
      return (
        <Tag icon={<IconMoonStars {...icon} />} title="Scaled to zero: the next call starts a sandbox">
          idle
        </Tag>
      );
  }
}

function Name({ info }: Row) {
  const href = useScreenHref();
  return (
    <>
      <Link href={href(`/functions/${info.name}`)} className={classes.name}>
        {info.name}
      </Link>{' '}
      {info.public && <IconWorld size={14} stroke={1.6} aria-label="public" color="var(--h-soft)" />}
      <span className={classes.sub}>
        {info.routes?.length
          ? info.routes.map((r) => `${r.method ?? ''} ${r.path}`.trim()).join(', ')
          : `/fn/${info.name}/`}
      </span>
    </>
  );
}

const called = (r: Row) => (r.metrics && r.metrics.total.requests > 0 ? r.metrics.total : null);

const columns: Column<Row>[] = [
  { key: 'name', title: 'Function', sort: (r) => r.info.name, render: (r) => <Name {...r} /> },
  {
    key: 'runtime',
    title: 'Runtime',
    width: 124,
    from: 'lg',
    sort: (r) => r.info.version?.runtime,
    render: ({ info }) =>
      info.version ? <Tag>{info.version.runtime}</Tag> : <span className="soft">–</span>,
  },
  {
    key: 'state',
    title: 'State',
    width: 116,
    from: 'sm',
    greatestFirst: true,
    sort: (r) => r.state.sandboxes,
    render: ({ state }) => <StateTag state={state} />,
  },
  {
    key: 'version',
    title: 'Version',
    width: 76,
    from: 'xl',
    align: 'right',
    greatestFirst: true,
    sort: (r) => r.info.active_version,
    render: ({ info }) => (info.active_version ? `v${info.active_version}` : <span className="soft">–</span>),
  },
  {
    key: 'trend',
    title: 'Trend',
    width: 124,
    from: 'md',
    render: (r) =>
      r.metrics?.requests ? (
        <Sparkline
          values={r.metrics.requests}
          label={`Calls of ${r.info.name}: ${formatCount(called(r)?.requests ?? 0)} in this range`}
        />
      ) : null,
  },
  {
    key: 'calls',
    title: 'Calls',
    width: 68,
    align: 'right',
    greatestFirst: true,
    sort: (r) => r.metrics?.total.requests ?? 0,
    render: (r) => (
      <span className="num" title={called(r) ? formatRate(called(r)!.rate) : undefined}>
        {called(r) ? formatCount(called(r)!.requests) : <span className="soft">–</span>}
      </span>
    ),
  },
  {
    key: 'errors',
    title: 'Errors',
    width: 84,
    align: 'right',
    greatestFirst: true,
    sort: (r) => called(r)?.error_rate,
    render: (r) => {
      const total = called(r);
      if (!total) return <span className="soft">–</span>;
      if (total.errors === 0) return <span className="num">0 %</span>;
      return (
        <span className={`num ${classes.bad}`} title={`${total.errors} of ${total.requests} calls failed`}>
          <IconAlertTriangle size={13} stroke={2.2} aria-label="errors" /> {formatShare(total.error_rate)}
        </span>
      );
    },
  },
  {
    key: 'p50',
    title: 'p50',
    width: 80,
    from: 'lg',
    align: 'right',
    greatestFirst: true,
    sort: (r) => called(r)?.p50,
    render: (r) => <span className="num">{formatSeconds(called(r)?.p50)}</span>,
  },
  {
    key: 'p95',
    title: 'p95',
    width: 80,
    from: 'md',
    align: 'right',
    greatestFirst: true,
    sort: (r) => called(r)?.p95,
    render: (r) => <span className="num">{formatSeconds(called(r)?.p95)}</span>,
  },
  {
    key: 'deployed',
    title: 'Deployed',
    width: 104,
    from: 'lg',
    align: 'right',
    greatestFirst: true,
    sort: (r) => r.info.version?.created_at,
    render: ({ info }) => <RelativeTime at={info.version?.created_at} />,
  },
];

/** S2: all functions, and how they do. One query answers for the sparklines of all of them. */
export default function FunctionsScreen() {
  const functions = useFunctions();
  const { range } = useTimeRange();
  const many = (functions.data?.length ?? 0) > 200;
  const metrics = useMetricsQuery(
    {
      function: ['*'],
      fields: ['requests', 'totals', 'sandboxes'],
      step: sparkStep(range.seconds),
    },
    { atMostEvery: many ? 15_000 : 2_000 },
  );
  const [filter, setFilter] = useUrlState('filter');
  const [only, setOnly] = useUrlState('only');
  const [doomed, setDoomed] = useState<string | null>(null);
  const [, navigate] = useLocation();
  const href = useScreenHref();
  const mayChange = useMay('developer');
  const search = useRef<HTMLInputElement>(null);
  useKeys([
    { keys: '/', label: 'Filter', run: () => search.current?.focus() },
    ...(mayChange ? [{ keys: 'n', label: 'New function', run: () => navigate(href('/new')) }] : []),
  ]);

  const rows = useMemo(() => {
    const by = new Map(metrics.data?.series.map((m) => [m.function, m]));
    const text = filter.trim().toLowerCase();
    return (functions.data ?? [])
      .map((info): Row => {
        const m = by.get(info.name);
        return { info, metrics: m, state: stateOf(info, m?.sandboxes) };
      })
      .filter((r) =>
        [r.info.name, r.info.version?.runtime ?? '', ...(r.info.routes ?? []).map((x) => x.path)].some((s) =>
          s.includes(text),
        ),
      )
      .filter((r) => only !== 'errors' || (called(r)?.errors ?? 0) > 0)
      .filter((r) => only !== 'called' || called(r));
  }, [functions.data, metrics.data, filter, only]);

  const all = useMemo(
    () =>
      mayChange
        ? [
            ...columns,
            {
              key: 'menu',
              title: '',
              width: 62,
              from: 'sm' as const,
              align: 'right' as const,
              render: (r: Row) => <RowMenu name={r.info.name} onDelete={() => setDoomed(r.info.name)} />,
            },
          ]
        : columns,
    [mayChange],
  );
  const remove = useDeleteFunction();

  return (
    <>
      <PageHeader
        title="Functions"
        about={functions.data && `${functions.data.length} deployed`}
        cli="hearth list"
        curl="/api/v1/functions"
      >
        {mayChange && (
          <Button component={Link} href={href('/new')} leftSection={<IconPlus size={16} />}>
            New function
          </Button>
        )}
      </PageHeader>
      <QueryState query={functions}>
        {(list) =>
          list.length === 0 ? (
            <div id="empty">
              <EmptyState
                title="No functions yet"
                icon={<IconFlame size={22} stroke={1.6} />}
                actions={
                  mayChange && (
                    <>
                      <Button component={Link} href={href('/start')}>
                        Make the first one
                      </Button>
                      <Button component={Link} href={href('/new')} variant="default">
                        All templates
                      </Button>
                    </>
                  )
                }
              >
                Start here, or in a terminal: <code>hearth deploy main.py --name hello</code>
              </EmptyState>
            </div>
          ) : (
            <>
              <div className={classes.bar}>
                <TextInput
                  ref={search}
                  value={filter}
                  onChange={(event) => setFilter(event.currentTarget.value)}
                  onKeyDown={(event) => event.key === 'Escape' && search.current?.blur()}
                  placeholder="Filter by name, route, runtime"
                  aria-label="Filter by name, route, runtime"
                  leftSection={<IconSearch size={16} stroke={1.6} />}
                  w={300}
                  maw="100%"
                />
                <SegmentedControl
                  size="xs"
                  value={only}
                  onChange={setOnly}
                  aria-label="Which functions"
                  data={[
                    { value: '', label: 'All' },
                    { value: 'called', label: 'Called' },
                    { value: 'errors', label: 'With errors' },
                  ]}
                />
              </div>
              <div id="functions">
                {rows.length > 0 ? (
                  <DataTable
                    label="Functions"
                    columns={all}
                    rows={rows}
                    rowKey={(r) => r.info.name}
                    rowHeight={58}
                    sort="name"
                    onOpen={(r) => navigate(href(`/functions/${r.info.name}`))}
                  />
                ) : (
                  <EmptyState
                    title="No function fits"
                    icon={<IconSearch size={22} stroke={1.6} />}
                    actions={
                      <Button
                        variant="default"
                        onClick={() => {
                          setFilter('');
                          setOnly('');
                        }}
                      >
                        Show all {list.length}
                      </Button>
                    }
                  >
                    {filter
                      ? `None has “${filter}” in its name, routes or runtime.`
                      : 'None in this range of time.'}
                  </EmptyState>
                )}
              </div>
            </>
          )
        }
      </QueryState>
      <ConfirmByName
        opened={doomed !== null}
        onClose={() => setDoomed(null)}
        title={`Delete ${doomed}`}
        name={doomed ?? ''}
        action="Delete"
        run={async () => {
          await remove.mutateAsync(doomed!);
          notifications.show({ message: `${doomed} is deleted` });
        }}
      >
        All its versions, test events and metrics go with it. Calls that run now may finish.
      </ConfirmByName>
    </>
  );
}

function RowMenu({ name, onDelete }: { name: string; onDelete: () => void }) {
  const href = useScreenHref();
  return (
    <Menu position="bottom-end" width={180} shadow="md">
      <Menu.Target>
        <ActionIcon aria-label={`More about ${name}`}>
          <IconDots size={18} stroke={1.6} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          component={Link}
          href={href(`/functions/${name}/code`)}
          leftSection={<IconCode size={16} stroke={1.6} />}
        >
          Edit the code
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item color="red" leftSection={<IconTrash size={16} stroke={1.6} />} onClick={onDelete}>
          Delete…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

// The list of invocations, on its own screen and on the page of a function: export it with `of` there.
import { Button } from '@mantine/core';
import { IconActivity, IconArrowUp } from '@tabler/icons-react';
import { useCallback, useEffect, useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { type Column, DataTable } from '../../components/DataTable';
import { formatBytes, formatCount, formatSeconds, formatTime, parseDuration } from '../../components/format';
import { OutcomeBadge, StartBadge } from '../../components/OutcomeBadge';
import { CopyCommand } from '../../components/PageHeader';
import { PhaseBar } from '../../components/PhaseBar';
import { EmptyState, ErrorState, SkeletonRows } from '../../components/states';
import { useScreenHref } from '../../hooks/useScreenHref';
import { useTimeRange } from '../../hooks/useTimeRange';
import { withParams } from '../../hooks/useUrlState';
import { FilterBar } from './FilterBar';
import {
  type Filters,
  type Invocation,
  isFiltered,
  memoryShare,
  presets,
  readFilters,
  toCommand,
  toPath,
  withPreset,
  writeFilters,
} from './filters';
import { InvocationDrawer } from './InvocationDrawer';
import classes from './InvocationList.module.css';
import { mostRows, useInvocations } from './useInvocations';

/** The filters in the address; `of` fixes the function. */
export function useFilters(of?: string): [Filters, (f: Filters) => void] {
  const [params, setParams] = useSearchParams();
  const filters = useMemo(() => {
    const f = readFilters(params);
    return of ? { ...f, function: of } : f;
  }, [params, of]);
  const set = useCallback(
    (f: Filters) => setParams((now) => writeFilters(now, of ? { ...f, function: '' } : f), { replace: true }),
    [setParams, of],
  );
  return [filters, set];
}

/** The length of a bar, in percent: logarithmic, for calls take from a tenth of a millisecond to minutes. */
export function barLength(seconds: number, most: number): number {
  const of = (s: number) => Math.log1p(s / 1e-4);
  return most > 0 ? Math.max(2, Math.min(100, (100 * of(seconds)) / of(most))) : 0;
}

/** What a full bar means: the longest call of the first rows, in powers of four, so that bars rarely change. */
export function barScale(rows: Invocation[]): number {
  let most = 0;
  for (const r of rows.slice(0, 300)) most = Math.max(most, parseDuration(r.duration));
  return most > 0 ? 4 ** Math.ceil(Math.log(most) / Math.log(4)) : 1;
}

/** When a call was admitted: the day only if it isn't today. */
function CallTime({ of: i }: { of: Invocation }) {
  return (
    <time dateTime={i.at} title={`${formatTime(i.at)} local · ${i.at}`} className={`num ${classes.time}`}>
      {new Date(i.at).toDateString() === new Date().toDateString() ? (
        ''
      ) : (
        <span className="soft">{formatTime(i.at, { millis: false }).slice(5, 10)} </span>
      )}
      {formatTime(i.at, { date: false, millis: false })}
      <span className={`soft ${classes.millis}`}>{formatTime(i.at, { date: false }).slice(8)}</span>
    </time>
  );
}

/** The time once more, for narrow screens that have no column for it. */
function Under({ of }: { of: Invocation }) {
  return (
    <span className={classes.under}>
      <CallTime of={of} />
    </span>
  );
}

function columnsOf(ofFunction: boolean, scale: number): Column<Invocation>[] {
  const columns: Column<Invocation>[] = [
    {
      key: 'at',
      title: 'Time',
      width: 'var(--w-time)',
      from: 'sm',
      render: (i) => <CallTime of={i} />,
    },
    {
      key: 'function',
      title: 'Function',
      render: (i) => (
        <>
          <b>{i.function}</b> <span className="soft num">v{i.version}</span>
          <Under of={i} />
        </>
      ),
    },
    {
      key: 'trigger',
      title: 'Trigger',
      width: 68,
      from: 'xl',
      render: (i) => <span className="soft">{i.trigger}</span>,
    },
    {
      key: 'outcome',
      title: 'Outcome',
      width: 'var(--w-outcome)',
      render: (i) => (
        <span
          className={classes.outcome}
          title={i.error ? [i.error.type, i.error.message].filter(Boolean).join(': ') : undefined}
        >
          <OutcomeBadge outcome={i.outcome} />
          {i.outcome === 'ok' && i.status >= 300 && <span className="num soft"> {i.status}</span>}
        </span>
      ),
    },
    {
      key: 'duration',
      title: 'Duration',
      width: 'var(--w-duration)',
      render: (i) => (
        <span className={classes.duration}>
          <span className={`num ${classes.total}`}>{formatSeconds(parseDuration(i.duration))}</span>
          <span className={classes.bar}>
            <span
              className={classes.length}
              style={{ width: `${barLength(parseDuration(i.duration), scale)}%` }}
            >
              <PhaseBar value={i.phases} />
            </span>
          </span>
        </span>
      ),
    },
    { key: 'start', title: 'Start', width: 116, from: 'lg', render: (i) => <StartBadge start={i.start} /> },
    {
      key: 'cpu',
      title: 'CPU',
      width: 88,
      from: 'lg',
      align: 'right',
      render: (i) => <span className="num">{i.usage ? formatSeconds(parseDuration(i.usage.cpu)) : '–'}</span>,
    },
    {
      key: 'memory',
      title: 'Peak',
      width: 106,
      from: 'md',
      align: 'right',
      render: (i) => {
        const share = memoryShare(i);
        const near = share !== null && share >= 0.9;
        return (
          <span
            className={`num ${near ? classes.near : ''}`}
            title={
              share === null ? undefined : `${Math.round(share * 100)} % of ${formatBytes(i.memory_limit)}`
            }
          >
            {near && '▲ '}
            {formatBytes(i.usage?.memory_peak)}
          </span>
        );
      },
    },
    {
      key: 'bytes',
      title: 'In / out',
      width: 126,
      from: 'xl',
      align: 'right',
      render: (i) => (
        <span className="num soft">
          {formatBytes(i.request_bytes)} / {formatBytes(i.reply_bytes)}
        </span>
      ),
    },
  ];
  if (!ofFunction) return columns;
  return columns.map((c) =>
    c.key === 'function'
      ? {
          ...c,
          key: 'version',
          title: 'Version',
          width: 76,
          render: (i) => (
            <>
              v{i.version}
              <Under of={i} />
            </>
          ),
        }
      : c,
  );
}

/** Whether the reader is at the head of the page, where new rows may come in. */
function useAtHead(): boolean {
  const [at, setAt] = useState(true);
  useEffect(() => {
    const look = () => setAt(scrollY < 120);
    look();
    addEventListener('scroll', look, { passive: true });
    return () => removeEventListener('scroll', look);
  }, []);
  return at;
}

/** Fills its place with invocations. `of` is the only function then; without, there is a filter for it. */
export function InvocationList({ of }: { of?: string }) {
  const [filters, setFilters] = useFilters(of);
  const [params, setParams] = useSearchParams();
  const { range, choose, zoom } = useTimeRange();
  const href = useScreenHref();
  const atHead = useAtHead();
  const opened = params.get('open');
  const { query, rows, more, full, waiting, showWaiting } = useInvocations(filters, atHead && !opened);
  const scale = useMemo(() => barScale(rows), [rows]);
  const columns = useMemo(() => columnsOf(!!of, scale), [of, scale]);
  const rowKey = useCallback((i: Invocation) => i.id, []);
  const open = useCallback(
    (id: string | null) => setParams((now) => withParams(now, { open: id }), { replace: !!opened }),
    [setParams, opened],
  );

  return (
    <div className={classes.list}>
      <FilterBar filters={filters} onChange={setFilters} ofFunction={!!of} />
      {waiting > 0 && (
        <div className={classes.pill}>
          <Button
            radius="xl"
            size="compact-md"
            leftSection={<IconArrowUp size={15} />}
            onClick={() => {
              scrollTo({ top: 0 });
              showWaiting();
            }}
          >
            {formatCount(waiting)} new
          </Button>
        </div>
      )}
      {query.isPending ? (
        <SkeletonRows rows={12} height={40} />
      ) : query.error && rows.length === 0 ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : rows.length === 0 ? (
        <div id="empty">
          {isFiltered(filters) ? (
            <EmptyState
              title="No call is like that"
              icon={<IconActivity size={22} stroke={1.6} />}
              actions={
                <>
                  <Button
                    variant="default"
                    onClick={() => setFilters(withPreset({ ...filters, version: '' }, presets[0]!))}
                  >
                    Clear the filters
                  </Button>
                  {range.name !== '7d' && (
                    <Button variant="default" onClick={() => choose('7d')}>
                      Look through 7 days
                    </Button>
                  )}
                </>
              }
            >
              None in this range of time has all that the filters ask for.
            </EmptyState>
          ) : (
            <EmptyState
              title="No calls in this range of time"
              icon={<IconActivity size={22} stroke={1.6} />}
              actions={
                <>
                  {range.name !== '7d' && (
                    <Button variant="default" onClick={() => choose('7d')}>
                      Look through 7 days
                    </Button>
                  )}
                  <CopyCommand cli={`hearth invoke ${filters.function || 'NAME'} -d '{}'`} />
                </>
              }
            >
              Call a function, and the call appears here by itself.
            </EmptyState>
          )}
        </div>
      ) : (
        <div id="invocations">
          <DataTable
            label="Invocations"
            columns={columns}
            rows={rows}
            rowKey={rowKey}
            rowHeight={40}
            sorted
            onEnd={more}
            onOpen={(i) => open(i.id)}
          />
          <div className={classes.end} role="status">
            {query.isFetchingNextPage ? (
              'Reading older ones…'
            ) : query.isFetchNextPageError ? (
              <>
                The rest couldn't be read.{' '}
                <button type="button" className={classes.again} onClick={() => void query.fetchNextPage()}>
                  Try again
                </button>
              </>
            ) : full ? (
              <>
                These are {formatCount(mostRows)} calls.{' '}
                {filters.order === 'newest' && (
                  <button
                    type="button"
                    className={classes.again}
                    onClick={() => {
                      const to = Date.parse(rows.at(-1)!.at) / 1000;
                      zoom(range.from ?? to - range.seconds, to + 1);
                      scrollTo({ top: 0 });
                    }}
                  >
                    Go on from the last
                  </button>
                )}
              </>
            ) : !query.hasNextPage ? (
              `${rows.length === 1 ? 'That is the only call' : `These are all ${formatCount(rows.length)} calls`} in this range of time.`
            ) : null}
          </div>
        </div>
      )}
      <InvocationDrawer
        id={opened}
        rows={rows}
        onOpen={open}
        page={opened ? href(`/invocations/${opened}`) : ''}
      />
    </div>
  );
}

/** The commands that give the same list. */
export const listCommands = (f: Filters) => ({ cli: toCommand(f), curl: toPath(f) });

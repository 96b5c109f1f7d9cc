// What fails, grouped: on its own screen, and with `of` on the page of a function.
import { Button, Select } from '@mantine/core';
import { IconCircleCheck, IconSearch, IconSparkles } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { useMemo, useRef, useState } from 'react';
import { Link } from 'wouter';
import { api, unwrap } from '../../api/client';
import { Sparkline } from '../../charts/Sparkline';
import { formatCount, formatTime } from '../../components/format';
import { OutcomeBadge, outcomes, Tag } from '../../components/OutcomeBadge';
import { EmptyState, QueryState, SkeletonRows } from '../../components/states';
import { RelativeTime } from '../../components/values';
import { useKeys } from '../../hooks/useKeys';
import { useScreenHref } from '../../hooks/useScreenHref';
import { momentsOf, useTimeRange } from '../../hooks/useTimeRange';
import { useUrlState } from '../../hooks/useUrlState';
import { useLive, usePolling } from '../../live/context';
import { LazyInput } from '../invocations/LazyInput';
import { showsCode } from '../invocations/StackTrace';
import { codeHref } from '../invocations/trace';
import classes from './ErrorGroups.module.css';
import { arrange, type ErrorGroup, nameOf, type Sort, sorts, versionsOf } from './groups';

const sortNames: Record<Sort, string> = {
  last: 'Last seen first',
  count: 'Most often first',
  first: 'Newest kind first',
  new: 'New in a version first',
};

/** How long failures that come live wait for others before the groups are read again, ms. */
const gather = 1_500;

function useErrorGroups(of?: string) {
  const { range, key } = useTimeRange();
  const query = useQuery({
    queryKey: ['errors', of ?? '', key],
    queryFn: ({ signal }) => {
      const { from, to } = momentsOf(range);
      return unwrap(api.GET('/api/v1/errors', { params: { query: { function: of, from, to } }, signal }));
    },
    refetchInterval: usePolling(30_000),
  });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const { refetch } = query;
  useLive(range.to === undefined ? (of ? `invocations:${of}` : 'invocations') : null, (event, data) => {
    if (event !== 'lost' && !(data as { fingerprint?: string }).fingerprint) return;
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      void refetch();
    }, gather);
  });
  return query;
}

export function ErrorGroups({ of }: { of?: string }) {
  const query = useErrorGroups(of);
  const { range, choose } = useTimeRange();
  const [text, setText] = useUrlState('text');
  const [fn, setFn] = useUrlState('function');
  const [order, setOrder] = useUrlState('order', 'last');
  const sort = sorts.includes(order as Sort) ? (order as Sort) : 'last';
  const items = query.data?.items;
  const shown = useMemo(() => arrange(items ?? [], sort, text, of ? '' : fn), [items, sort, text, fn, of]);
  const names = useMemo(() => [...new Set((items ?? []).map((g) => g.function))].sort(), [items]);
  const search = useRef<HTMLInputElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const move = (by: number) => {
    const links = [...(list.current?.querySelectorAll<HTMLElement>('[data-group]') ?? [])];
    const at = links.findIndex((l) => l.contains(document.activeElement));
    const next = links[Math.max(0, Math.min(links.length - 1, at + by))];
    next?.querySelector<HTMLElement>('a')?.focus();
  };
  useKeys([
    { keys: '/', label: 'Filter', run: () => search.current?.focus() },
    { keys: 'j', label: 'Next group', run: () => move(1) },
    { keys: 'k', label: 'Previous group', run: () => move(-1) },
  ]);
  return (
    <QueryState query={query} skeleton={<SkeletonRows rows={6} height={92} />}>
      {(data) =>
        data.items?.length ? (
          <>
            <div className={classes.bar}>
              <LazyInput
                ref={search}
                className={classes.search}
                value={text}
                onCommit={setText}
                placeholder="Type, message, place"
                aria-label="Filter by type, message and place"
                leftSection={<IconSearch size={16} stroke={1.6} />}
              />
              {!of && (
                <Select
                  w={180}
                  placeholder="Any function"
                  aria-label="Function"
                  clearable
                  searchable
                  data={fn && !names.includes(fn) ? [...names, fn] : names}
                  value={fn || null}
                  onChange={(v) => setFn(v ?? '')}
                />
              )}
              <Select
                w={200}
                aria-label="Order"
                allowDeselect={false}
                data={sorts.map((value) => ({ value, label: sortNames[value] }))}
                value={sort}
                onChange={(v) => setOrder(v ?? 'last')}
              />
            </div>
            {shown.length === 0 ? (
              <EmptyState
                title="No error is like that"
                actions={
                  <Button
                    variant="default"
                    onClick={() => {
                      setText('');
                      setFn('');
                    }}
                  >
                    Clear the filters
                  </Button>
                }
              />
            ) : (
              <ol className={classes.groups} id="errors" ref={list}>
                {shown.map((g) => (
                  <Group key={`${g.function} ${g.fingerprint}`} group={g} of={of} />
                ))}
              </ol>
            )}
          </>
        ) : (
          <div id="empty">
            <EmptyState
              title="Nothing failed in this range of time"
              icon={<IconCircleCheck size={22} stroke={1.6} />}
              actions={
                range.name !== '7d' && (
                  <Button variant="default" onClick={() => choose('7d')}>
                    Look through 7 days
                  </Button>
                )
              }
            >
              Calls that end with an exception, a time-out, or any other failure appear here by themselves.
            </EmptyState>
          </div>
        )
      }
    </QueryState>
  );
}

function Group({ group: g, of }: { group: ErrorGroup; of?: string }) {
  const href = useScreenHref();
  const [opened, setOpened] = useState(false);
  const samples = g.samples ?? [];
  const calls = href('/invocations', { function: g.function, fingerprint: g.fingerprint });
  const frame = frameOf(g);
  const color = outcomes[g.outcome]?.color ?? '--outcome-function-error';
  return (
    <li className={classes.group} data-group={g.fingerprint}>
      <div className={classes.what}>
        <div className={classes.title}>
          <Link href={calls} className={classes.name}>
            {nameOf(g)}
          </Link>
          {g.type && g.outcome !== 'function_error' && <OutcomeBadge outcome={g.outcome} />}
          {g.new_in > 0 && (
            <Tag tone="accent" icon={<IconSparkles size={13} stroke={2.2} aria-hidden />}>
              new in v{g.new_in}
            </Tag>
          )}
        </div>
        {g.message && g.message !== nameOf(g) && <p className={classes.message}>{g.message}</p>}
        <p className={classes.where}>
          {!of && <b>{g.function}</b>}
          {g.frame &&
            (frame && showsCode() ? (
              <Link href={codeHref(g.function, g.last_version, frame)} className="mono">
                {g.frame}
              </Link>
            ) : (
              <span className="mono">{g.frame}</span>
            ))}
          <span>{versionsOf(g)}</span>
        </p>
      </div>
      <div className={classes.spark}>
        <Sparkline
          values={g.sparkline ?? []}
          label={`${nameOf(g)} over time, ${g.count} in all`}
          width={150}
          height={34}
          color={color}
        />
      </div>
      <div className={classes.count}>
        <b className="num">{formatCount(g.count)}</b>
        <span>{g.count === 1 ? 'call' : 'calls'}</span>
      </div>
      <dl className={classes.seen}>
        <div>
          <dt>last</dt>
          <dd>
            <RelativeTime at={g.last} />
          </dd>
        </div>
        <div>
          <dt>first</dt>
          <dd>
            <RelativeTime at={g.first} />
          </dd>
        </div>
      </dl>
      <div className={classes.samples}>
        {samples[0] && (
          <Link href={href(`/invocations/${samples[0]}`)} className={classes.sample}>
            Latest call
          </Link>
        )}
        {samples.length > 1 && (
          <button
            type="button"
            className={classes.more}
            aria-expanded={opened}
            onClick={() => setOpened((o) => !o)}
          >
            {opened ? 'Fewer' : `${samples.length - 1} more`}
          </button>
        )}
      </div>
      {opened && (
        <ul className={classes.all}>
          {samples.slice(1).map((id) => (
            <li key={id}>
              <Link href={href(`/invocations/${id}`)} className="mono">
                {id}
              </Link>{' '}
              <span className="soft num">{formatTime(timeOf(id))}</span>
            </li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** "orders.py:4 in price" as a place in the code. */
function frameOf(g: ErrorGroup) {
  const match = /^(.+):(\d+)(?: in .*)?$/.exec(g.frame ?? '');
  return match ? { file: match[1]!, line: Number(match[2]), own: true } : undefined;
}

/** The moment in a ULID, ms. */
function timeOf(id: string): number {
  let ms = 0;
  for (const c of id.slice(0, 10)) ms = ms * 32 + '0123456789ABCDEFGHJKMNPQRSTVWXYZ'.indexOf(c);
  return ms;
}

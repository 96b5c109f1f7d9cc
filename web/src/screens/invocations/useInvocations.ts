import { type InfiniteData, useInfiniteQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { api, unwrap } from '../../api/client';
import { momentsOf, useTimeRange } from '../../hooks/useTimeRange';
import { useLive, useLiveStatus, usePolling } from '../../live/context';
import { type Filters, type Invocation, matches, toQuery } from './filters';
import { type InvocationPage, mergeNewest, rowsOf } from './merge';

const pageSize = 100;
/** So many rows are kept at most; beyond, the reader narrows the filter or goes on from the last. */
export const mostRows = 20_000;
/** So many rows may come live before the list is read anew: it doesn't grow for hours. */
const mostLive = 1_000;
/** How long rows that come live wait for others, ms. */
const gather = 250;

type Data = InfiniteData<InvocationPage, string>;

/** Invocations as filtered, read in pages as the reader scrolls, and live at the head while `following`. */
export function useInvocations(filters: Filters, following: boolean) {
  const queries = useQueryClient();
  const { range, key: rangeKey } = useTimeRange();
  const status = useLiveStatus();
  const polling = usePolling(4_000, { streamed: true });
  const newest = filters.order === 'newest';
  const open = range.to === undefined; // the range ends now
  const key = useMemo(() => ['invocations', 'list', filters, rangeKey] as const, [filters, rangeKey]);

  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { from, to } = momentsOf(range);
      const page = await unwrap(
        api.GET('/api/v1/invocations', {
          params: {
            query: {
              ...toQuery(filters),
              from,
              to: open ? undefined : to,
              limit: pageSize,
              cursor: pageParam || undefined,
            },
          },
          signal,
        }),
      );
      return { items: page.items ?? [], next: page.next || undefined };
    },
    getNextPageParam: (last, pages) => (pages.length * pageSize < mostRows ? last.next : undefined),
    // The stream keeps it fresh; reading all pages again would be much.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
    // Without a stream the first page alone is read again: see below.
    gcTime: 60_000,
  });

  const { refetch } = query;
  /** Reads the first page anew and forgets the others. */
  const restart = useCallback(() => {
    queries.setQueryData<Data>(
      key,
      (d) => d && { pages: d.pages.slice(0, 1), pageParams: d.pageParams.slice(0, 1) },
    );
    void refetch();
  }, [queries, key, refetch]);

  // What came live and isn't shown yet: while the reader is further down, or the order isn't that of time.
  const [waiting, setWaiting] = useState(0);
  const arrived = useRef<Invocation[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const takesIn = following && newest && query.isSuccess;
  const latest = useRef({ takesIn, key, restart });
  latest.current = { takesIn, key, restart };

  const flush = useCallback(() => {
    timer.current = undefined;
    const incoming = arrived.current;
    arrived.current = [];
    if (incoming.length === 0) return;
    const { takesIn, key, restart } = latest.current;
    if (!takesIn) {
      setWaiting((n) => n + incoming.length);
      return;
    }
    queries.setQueryData<Data>(key, (d) => d && { ...d, pages: mergeNewest(d.pages, incoming) });
    const first = queries.getQueryData<Data>(key)?.pages[0];
    if (first && first.items.length > mostLive) restart();
  }, [queries]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: with another list nothing waits
  useEffect(() => {
    setWaiting(0);
    arrived.current = [];
    return () => {
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [key]);

  const topic = filters.function ? `invocations:${filters.function}` : 'invocations';
  useLive(open ? topic : null, (event, data) => {
    if (event === 'lost') {
      // What was lost is in the store.
      if (latest.current.takesIn) restart();
      else setWaiting((n) => n + (data as { count: number }).count);
      return;
    }
    const i = data as Invocation;
    if (!matches(i, filters)) return;
    // A hidden or slow tab must not heap them up: beyond what is shown anyway, the first page is as good.
    if (arrived.current.length < mostLive) arrived.current.push(i);
    timer.current ??= setTimeout(flush, gather);
  });

  // Where there is no stream, a reader at the head gets the first page again and again.
  const poll = open && following && newest && status !== 'live' ? polling : false;
  useEffect(() => {
    if (!poll) return;
    const again = setInterval(restart, poll);
    return () => clearInterval(again);
  }, [poll, restart]);

  const showWaiting = useCallback(() => {
    setWaiting(0);
    restart();
  }, [restart]);

  // Coming back to the head shows what came meanwhile.
  useEffect(() => {
    if (takesIn && waiting > 0) showWaiting();
  }, [takesIn, waiting, showWaiting]);

  const rows = useMemo(() => (query.data ? rowsOf(query.data.pages) : []), [query.data]);
  const { hasNextPage, isFetching, fetchNextPage } = query;
  const more = useCallback(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  const full = !hasNextPage && !!query.data?.pages.at(-1)?.next;
  return { query, rows, more, full, waiting, showWaiting, live: open && newest };
}

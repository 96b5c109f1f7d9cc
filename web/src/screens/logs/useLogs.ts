import { type InfiniteData, useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { api, unwrap } from '../../api/client';
import { momentsOf, useTimeRange } from '../../hooks/useTimeRange';
import { useLive, useLiveStatus, usePolling } from '../../live/context';
import { LogBuffer, type LogState } from './buffer';
import { type LogFilters, matchesLog, toLogQuery, topicOf } from './filters';
import type { LogLine } from './line';

const pageSize = 500;
/** How long lines that come live wait for others, ms. */
const gather = 120;
/** More than that in between are no use to anybody: what is left out can be read from the store. */
const mostGathered = 5_000;

type Data = InfiniteData<{ items: LogLine[]; next?: string }, string>;

/** A buffer that tells React when it has changed. */
function useBuffer(): [LogBuffer, LogState, () => void] {
  const [{ buffer, tell, subscribe }] = useState(() => {
    const listeners = new Set<() => void>();
    return {
      buffer: new LogBuffer(),
      tell: () => {
        for (const l of listeners) l();
      },
      subscribe: (l: () => void) => {
        listeners.add(l);
        return () => {
          listeners.delete(l);
        };
      },
    };
  });
  const state = useSyncExternalStore(subscribe, () => buffer.current);
  return [buffer, state, tell];
}

/** Lines as filtered: the newest from the store, older ones as the reader scrolls up, and live at the end. */
export function useLogs(filters: LogFilters, following: boolean) {
  const queries = useQueryClient();
  const { range, key: rangeKey } = useTimeRange();
  const status = useLiveStatus();
  const polling = usePolling(3_000, { streamed: true });
  const open = range.to === undefined;
  const [buffer, state, tell] = useBuffer();
  const [cleared, setCleared] = useState(false);
  const key = useMemo(() => ['logs', 'view', filters, rangeKey] as const, [filters, rangeKey]);

  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { from, to } = momentsOf(range);
      const page = await unwrap(
        api.GET('/api/v1/logs', {
          params: {
            query: {
              ...toLogQuery(filters),
              from,
              to: open ? undefined : to,
              newest: true,
              limit: pageSize,
              cursor: pageParam || undefined,
            },
          },
          signal,
        }),
      );
      return { items: page.items ?? [], next: page.next || undefined };
    },
    getNextPageParam: (last) => last.next,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0, // the buffer holds the lines
    refetchOnWindowFocus: false,
  });
  const { data, fetchNextPage, hasNextPage, isFetching, refetch } = query;

  // Pages go into the buffer: the first anew, the others before it.
  const taken = useRef<{ first?: unknown; pages: number }>({ pages: 0 });
  const [prepended, setPrepended] = useState(0);
  useEffect(() => {
    if (!data) {
      taken.current = { pages: 0 };
      buffer.clear();
      tell();
      return;
    }
    const first = data.pages[0];
    if (first !== taken.current.first) {
      buffer.reset(data.pages.flatMap((p) => p.items)); // lines that came live meanwhile stay behind them
      taken.current = { first, pages: data.pages.length };
      tell();
      return;
    }
    for (const page of data.pages.slice(taken.current.pages)) {
      const n = buffer.prepend(page.items);
      if (n > 0) setPrepended((sum) => sum + n);
    }
    taken.current.pages = data.pages.length;
    tell();
  }, [data, buffer, tell]);

  /** Reads the newest page anew and forgets the others. */
  const again = useCallback(() => {
    setCleared(false);
    queries.setQueryData<Data>(
      key,
      (d) => d && { pages: d.pages.slice(0, 1), pageParams: d.pageParams.slice(0, 1) },
    );
    void refetch();
  }, [queries, key, refetch]);

  useEffect(() => {
    const overflowed = buffer.current.overflowed;
    buffer.follow(following);
    tell();
    if (following && overflowed) again();
  }, [following, buffer, tell, again]);

  const arrived = useRef<LogLine[]>([]);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines of other filters aren't wanted any more
  useEffect(
    () => () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      arrived.current = [];
    },
    [key],
  );
  useLive(open ? topicOf(filters) : null, (event, document) => {
    if (event === 'lost') {
      buffer.lose((document as { count: number }).count);
      tell();
      return;
    }
    const line = document as LogLine;
    if (!matchesLog(line, filters)) return;
    if (arrived.current.length >= mostGathered) {
      buffer.lose(1);
      return;
    }
    arrived.current.push(line);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      buffer.push(arrived.current);
      arrived.current = [];
      tell();
    }, gather);
  });

  const poll = open && following && status !== 'live' ? polling : false;
  useEffect(() => {
    if (!poll) return;
    const interval = setInterval(again, poll);
    return () => clearInterval(interval);
  }, [poll, again]);

  const older = useCallback(() => {
    if (hasNextPage && !isFetching && !buffer.full && !cleared) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage, buffer, cleared]);

  const clear = useCallback(() => {
    buffer.clear();
    setCleared(true);
    tell();
  }, [buffer, tell]);

  return {
    query,
    state,
    older,
    again,
    clear,
    prepended,
    open,
    full: buffer.full,
    hasOlder: hasNextPage && !cleared,
  };
}

/** How many lines there were over the range, for the histogram. */
export function useLogHistogram(filters: LogFilters) {
  const { range, key: rangeKey } = useTimeRange();
  return useQuery({
    queryKey: ['logs', 'histogram', filters, rangeKey],
    queryFn: async ({ signal }) => {
      const { from, to } = momentsOf(range);
      const { at, counts, step } = await unwrap(
        api.GET('/api/v1/logs', {
          params: { query: { ...toLogQuery(filters), from, to, histogram: true } },
          signal,
        }),
      );
      return { at: at ?? [], counts: counts ?? [], step: step ?? 1 };
    },
    refetchInterval: usePolling(10_000),
  });
}

import { useQueryClient } from '@tanstack/react-query';
import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useEffectEvent,
  useMemo,
  useSyncExternalStore,
} from 'react';
import { changed } from '../api/changed';
import { offers } from '../api/client';
import { LiveClient, type LiveHandler, type LiveStatus } from './client';

const Context = createContext<LiveClient | null>(null);

/** Gives everything below it the one live stream, and reads lists again when functions change. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const client = useMemo(
    () =>
      new LiveClient({
        url: '/api/v1/stream',
        offered: offers('/api/v1/stream'),
        onReset: () => void queries.invalidateQueries(),
      }),
    [queries],
  );
  useEffect(() => {
    const look = () => client.hide(document.hidden);
    look();
    document.addEventListener('visibilitychange', look);
    const unsubscribe = client.subscribe('changes', () => changed(queries));
    client.start();
    return () => {
      document.removeEventListener('visibilitychange', look);
      unsubscribe();
      client.stop();
    };
  }, [client, queries]);
  return <Context value={client}>{children}</Context>;
}

export function useLiveClient(): LiveClient {
  const client = useContext(Context);
  if (!client) throw new Error('useLive needs a LiveProvider above it');
  return client;
}

export function useLiveStatus(): LiveStatus {
  const client = useLiveClient();
  return useSyncExternalStore(client.onStatus, () => client.status);
}

/**
 * Calls handler with the live events of a topic while the component is shown; topic null is none.
 * The handler may change with each render.
 */
export function useLive(topic: string | null, handler: LiveHandler): void {
  const client = useLiveClient();
  const latest = useEffectEvent(handler);
  useEffect(
    () => (topic === null ? undefined : client.subscribe(topic, (e, d) => latest(e, d))),
    [client, topic],
  );
}

/**
 * How often a query should ask again by itself, for refetchInterval: `every` ms, but not while the user
 * has paused. With `streamed`, for what the stream updates, only where there is no stream.
 */
export function usePolling(every: number, { streamed = false } = {}): number | false {
  const status = useLiveStatus();
  if (status === 'paused' || (streamed && status === 'live')) return false;
  return every;
}

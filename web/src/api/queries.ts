// The queries that several screens share. A screen's own ones stand beside the screen. Keys begin with
// what they are of ('functions', 'metrics', 'invocations', …): the live stream invalidates by that.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { usePolling } from '../live/context';
import { changed } from './changed';
import { api, type Schemas, unwrap } from './client';

export type FunctionInfo = Schemas['FunctionInfo'];
export type Version = Schemas['Version'];
export type FunctionMetrics = Schemas['FunctionMetrics'];

/** Reads all pages of a list. */
export async function allPages<T>(page: (cursor?: string) => Promise<{ items: T[] | null; next?: string }>) {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const got = await page(cursor);
    items.push(...(got.items ?? []));
    cursor = got.next || undefined;
  } while (cursor);
  return items;
}

/** All functions, by name. Changes arrive by the stream, or every few seconds without one. */
export function useFunctions() {
  return useQuery({
    refetchInterval: usePolling(4_000, { streamed: true }),
    queryKey: ['functions'],
    queryFn: ({ signal }) =>
      allPages<FunctionInfo>((cursor) =>
        unwrap(api.GET('/api/v1/functions', { params: { query: { limit: 1000, cursor } }, signal })),
      ),
  });
}

/** One function with its active version. */
export function useFunction(name: string) {
  return useQuery({
    queryKey: ['functions', name],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/functions/{name}', { params: { path: { name } }, signal })),
  });
}

/** What the server says about itself. */
export function useServer() {
  return useQuery({
    queryKey: ['server'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/server', { signal })),
    staleTime: 60_000,
  });
}

/** The languages of the server's host. */
export function useRuntimes() {
  return useQuery({
    queryKey: ['runtimes'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/runtimes', { signal })),
    staleTime: 60_000,
  });
}

export function useDeleteFunction() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (name: string) =>
      unwrap(api.DELETE('/api/v1/functions/{name}', { params: { path: { name } } })),
    onSuccess: () => changed(queries),
  });
}

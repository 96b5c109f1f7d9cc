import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import type { TestInput } from '../test/run';
import { api, type Schemas, unwrap } from './client';

export type TestEvent = Schemas['TestEvent'];

const key = (name: string) => ['test-events', name];

/** The calls that are kept with a function. */
export function useTestEvents(name: string) {
  return useQuery({
    queryKey: key(name),
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/functions/{name}/test-events', { params: { path: { name } }, signal })),
  });
}

export function useSaveTestEvent(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ event, input }: { event: string; input: TestInput }) =>
      unwrap(
        api.PUT('/api/v1/functions/{name}/test-events/{event}', {
          params: { path: { name, event } },
          body: eventOf(input),
        }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: key(name) }),
  });
}

export function useDeleteTestEvent(name: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (event: string) =>
      unwrap(
        api.DELETE('/api/v1/functions/{name}/test-events/{event}', { params: { path: { name, event } } }),
      ),
    onSuccess: () => queries.invalidateQueries({ queryKey: key(name) }),
  });
}

/** The event that keeps an input. */
export function eventOf(input: TestInput): Schemas['PutTestEvent'] {
  if (input.kind === 'json') return { kind: 'json', body: input.body };
  const headers = Object.fromEntries(input.headers.filter(([k]) => k.trim() !== ''));
  return {
    kind: 'http',
    method: input.method,
    path: input.path,
    headers,
    body: input.body,
  };
}

/** The input that an event keeps. Bytes that are no text can't be edited, so they are left out. */
export function inputOf(event: TestEvent): TestInput {
  return {
    kind: event.kind,
    method: event.method || 'GET',
    path: event.path || '/',
    headers: Object.entries(event.headers ?? {}),
    body: event.base64 ? '' : event.body,
  };
}

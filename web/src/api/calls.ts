// What is known of one call. Records and lines never change once they are there.
import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from './client';

export function useInvocation(id: string) {
  return useQuery({
    queryKey: ['invocations', 'record', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/invocations/{id}', { params: { path: { id } }, signal })),
    enabled: id !== '',
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** The output of one call, without the platform's own lines, which repeat its error. */
export function useOutput(id: string) {
  return useQuery({
    queryKey: ['logs', 'of', id],
    queryFn: async ({ signal }) => {
      const page = await unwrap(
        api.GET('/api/v1/logs', { params: { query: { invocation: id, limit: 1000 } }, signal }),
      );
      return (page.items ?? []).filter((l) => l.stream !== 'platform');
    },
    enabled: id !== '',
    staleTime: Number.POSITIVE_INFINITY,
  });
}

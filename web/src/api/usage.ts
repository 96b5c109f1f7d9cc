import { useQuery } from '@tanstack/react-query';
import { momentsOf, useTimeRange } from '../hooks/useTimeRange';
import { usePolling } from '../live/context';
import { api, type Schemas, unwrap } from './client';

export type FunctionUsage = Schemas['FunctionUsage'];

/** What each version used in the time range of the address. */
export function useUsage({ enabled = true } = {}) {
  const { range, key } = useTimeRange();
  const every = usePolling(10_000);
  return useQuery({
    queryKey: ['usage', key],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/v1/usage', { params: { query: momentsOf(range) }, signal })),
    refetchInterval: range.name === 'custom' ? false : every,
    placeholderData: (before) => before,
    enabled,
  });
}

import { useQuery } from '@tanstack/react-query';
import { momentsOf, useTimeRange } from '../hooks/useTimeRange';
import { usePolling } from '../live/context';
import { offers, request } from './client';

const path = '/api/v1/usage';

/** What one version used in a span of time. */
export interface FunctionUsage {
  function: string;
  version: number;
  requests: number;
  cpu_seconds: number;
  gb_seconds: number;
  /** Bytes; 0 for a version that was deleted. */
  memory_limit: number;
  /** Bytes; 0 if it wasn't measured, as memory_p99. */
  memory_peak: number;
  memory_p99: number;
  /** Seconds. */
  duration_p95: number;
  timeout: string;
  /** A better memory limit; null where nothing should change or too little is known. */
  suggestion: { memory_mib: number; text: string } | null;
}

export interface Usage {
  from: string;
  to: string;
  functions: FunctionUsage[];
  total: { requests: number; cpu_seconds: number; gb_seconds: number };
}

/** What each version used in the time range of the address. */
export function useUsage(enabled = true) {
  const { range, key } = useTimeRange();
  const every = usePolling(10_000);
  return useQuery({
    queryKey: ['usage', key],
    queryFn: async ({ signal }): Promise<Usage> => {
      const query = new URLSearchParams(momentsOf(range));
      return (await request(`${path}?${query}`, { signal })).json();
    },
    refetchInterval: range.name === 'custom' ? false : every,
    placeholderData: (before) => before,
    enabled: enabled && usageOffered,
  });
}
/** Whether the server tells the usage. */
export const usageOffered = offers(path);

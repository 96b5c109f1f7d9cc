import { useCallback } from 'react';
import { screens } from '../screens';
import { useScreenHref } from './useScreenHref';

export interface InvocationsFilter {
  function?: string;
  version?: number;
  /** Outcomes, or "failed" for all that count as errors. */
  outcome?: string;
  /** How the sandbox came to be, or "cold". */
  start?: string;
  fingerprint?: string;
  order?: 'slowest' | 'memory' | 'cost';
  /** A span of time, unix seconds; the range of this screen if not given. */
  from?: number;
  to?: number;
}

/** Makes the address of the list of invocations with filters: what stands behind a number or a point. */
export function useInvocationsHref(): (filter: InvocationsFilter) => string {
  const href = useScreenHref();
  return useCallback(
    ({ from, to, ...filter }) => {
      const query: Record<string, string> = {};
      for (const [name, value] of Object.entries(filter)) if (value) query[name] = String(value);
      if (from && to) Object.assign(query, { from: String(Math.floor(from)), to: String(Math.ceil(to)) });
      return href('/invocations', query);
    },
    [href],
  );
}

/** Whether the dashboard has a screen with this path. */
export const hasScreen = (path: string): boolean => screens.some((s) => s.path === path);

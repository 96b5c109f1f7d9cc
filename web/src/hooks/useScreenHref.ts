import { useCallback } from 'react';
import { useSearch } from 'wouter';
import { rangeQuery } from './useTimeRange';

/** Makes the address of a screen that keeps the time range: href('/functions/hello', {tab: 'logs'}). */
export function useScreenHref(): (path: string, query?: Record<string, string>) => string {
  const search = useSearch();
  return useCallback(
    (path, query) => {
      const params = new URLSearchParams(rangeQuery(new URLSearchParams(search)));
      for (const [name, value] of Object.entries(query ?? {})) params.set(name, value);
      return params.size ? `${path}?${params}` : path;
    },
    [search],
  );
}

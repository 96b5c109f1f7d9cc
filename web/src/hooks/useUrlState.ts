// Filters, sort orders and the time range live in the address, so that every view can be linked to.
import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

/** A value in the query of the address. The fallback isn't written; setting it takes the name out. */
export function useUrlState(name: string, fallback = ''): [string, (value: string) => void] {
  const [params, setParams] = useSearchParams();
  const set = useCallback(
    (value: string) =>
      setParams((now) => withParams(now, { [name]: value === fallback ? null : value }), { replace: true }),
    [name, fallback, setParams],
  );
  return [params.get(name) ?? fallback, set];
}

/** A copy of params with some changed; null takes one out. */
export function withParams(params: URLSearchParams, changes: Record<string, string | null>): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [name, value] of Object.entries(changes))
    if (value === null) next.delete(name);
    else next.set(name, value);
  return next;
}

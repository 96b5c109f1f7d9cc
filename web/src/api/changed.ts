import type { QueryClient } from '@tanstack/react-query';

/** Reads again what a change of functions may have touched. */
export function changed(queries: QueryClient) {
  for (const what of ['functions', 'versions', 'deploys'])
    void queries.invalidateQueries({ queryKey: [what] });
}

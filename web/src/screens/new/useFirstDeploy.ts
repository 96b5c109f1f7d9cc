import { useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from '../../api/client';
import { type DeployConfig, type Deployed, useDeploy } from '../../api/deploy';
import { eventOf } from '../../api/testEvents';
import type { SourceFile } from '../../code/workspace';
import type { Start } from './starts';

/** Deploys a new function, and keeps the event of its template with it. */
export function useFirstDeploy(name: string) {
  const queries = useQueryClient();
  const deploy = useDeploy(name);
  return {
    pending: deploy.isPending,
    run: async (start: Start, files: SourceFile[], config: DeployConfig): Promise<Deployed> => {
      const done = await deploy.mutateAsync({ files, config });
      if (start.event) {
        const { name: event, input } = start.event;
        // Without it the function is as good: a failure is no reason to say that it isn't deployed.
        await unwrap(
          api.PUT('/api/v1/functions/{name}/test-events/{event}', {
            params: { path: { name, event } },
            body: eventOf(input),
          }),
        ).catch(() => undefined);
        void queries.invalidateQueries({ queryKey: ['test-events', name] });
      }
      return done;
    },
  };
}

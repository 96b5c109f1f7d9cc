import { Button, Group } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { changed } from '../../api/changed';
import { api, type Schemas, unwrap } from '../../api/client';
import { asProblem } from '../../api/problem';
import { allPages, type Version } from '../../api/queries';
import { usePolling } from '../../live/context';

/** All versions of a function, newest first. */
export function useVersions(name: string) {
  return useQuery({
    queryKey: ['versions', name],
    queryFn: ({ signal }) =>
      allPages<Version>((cursor) =>
        unwrap(
          api.GET('/api/v1/functions/{name}/versions', {
            params: { path: { name }, query: { limit: 1000, cursor } },
            signal,
          }),
        ),
      ),
  });
}

/** The files of a version; they never change. */
export function useVersionFiles(name: string, number: number) {
  return useQuery({
    queryKey: ['versions', name, number, 'files'],
    queryFn: ({ signal }) =>
      unwrap(
        api.GET('/api/v1/functions/{name}/versions/{number}/files', {
          params: { path: { name, number } },
          signal,
        }),
      ),
    staleTime: 5 * 60_000,
  });
}

/** What served when, newest first. */
export function useDeploys(name: string) {
  return useInfiniteQuery({
    queryKey: ['deploys', name, 'history'],
    initialPageParam: '',
    queryFn: ({ pageParam, signal }) =>
      unwrap(
        api.GET('/api/v1/deploys', {
          params: { query: { function: name, limit: 20, cursor: pageParam || undefined } },
          signal,
        }),
      ),
    getNextPageParam: (page) => page.next || undefined,
  });
}

const alive = new Set(['idle', 'busy', 'loading']);

/** How many sandboxes of each version of a function are warm, by its number. */
export function useWarm(name: string) {
  return useQuery({
    queryKey: ['sandboxes', 'of versions'],
    queryFn: ({ signal }) => unwrap(api.GET('/api/v1/sandboxes', { signal })),
    refetchInterval: usePolling(5_000),
    select: (list) => {
      const warm = new Map<number, number>();
      for (const s of list.items ?? [])
        if (s.function === name && s.version && alive.has(s.state))
          warm.set(s.version, (warm.get(s.version) ?? 0) + 1);
      return warm;
    },
  });
}

/** Lets another version serve, says so, and offers the way back. */
export function useServe(name: string) {
  const queries = useQueryClient();
  const put = async (version: number) => {
    const info = await unwrap(
      api.POST('/api/v1/functions/{name}/rollback', { params: { path: { name } }, body: { version } }),
    );
    changed(queries);
    return info;
  };
  const failed = (error: unknown) => {
    const { message, hint, code } = asProblem(error);
    notifications.show({ color: 'red', title: message, message: [hint, code].filter(Boolean).join(' · ') });
  };
  return useMutation({
    mutationFn: ({ to }: { to: number; from: number }) => put(to),
    onSuccess: (_info: Schemas['FunctionInfo'], { to, from }) => {
      const id = `serve-${name}`;
      notifications.hide(id);
      notifications.show({
        id,
        title: `Version ${to} serves`,
        autoClose: 20_000,
        message: (
          <Group justify="space-between" gap="sm">
            <span>
              {from > 0 ? `Calls that had begun end on version ${from}.` : `${name} can be called again.`}
            </span>
            {from > 0 && (
              <Button
                size="compact-sm"
                variant="default"
                data-undo
                onClick={() => {
                  notifications.hide(id);
                  put(from).then(
                    () => notifications.show({ message: `Version ${from} serves again.` }),
                    failed,
                  );
                }}
              >
                Undo
              </Button>
            )}
          </Group>
        ),
      });
    },
    onError: failed,
  });
}

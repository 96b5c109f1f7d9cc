import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { api, type Schemas, unwrap } from '../../api/client';
import { allPages } from '../../api/queries';

export type User = Schemas['User'];
export type Key = Schemas['Key'];

/** All users; only an admin may ask. */
export function useUsers(enabled = true) {
  return useQuery({
    enabled,
    queryKey: ['users'],
    queryFn: ({ signal }) =>
      allPages<User>((cursor) =>
        unwrap(api.GET('/api/v1/users', { params: { query: { limit: 1000, cursor } }, signal })),
      ),
  });
}

/** The keys of a user, by name; "" is the one who asks. */
export function useKeysOf(user: string) {
  return useQuery({
    queryKey: ['keys', user],
    queryFn: ({ signal }) =>
      allPages<Key>((cursor) =>
        unwrap(
          api.GET('/api/v1/keys', {
            params: { query: { limit: 1000, cursor, user: user || undefined } },
            signal,
          }),
        ),
      ),
  });
}

/** Runs a change and reads again what it may have touched. */
export function useChange<In, Out>(what: string, run: (input: In) => Promise<Out>) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: run,
    onSuccess: () => queries.invalidateQueries({ queryKey: [what] }),
  });
}

export const addKey = (body: Schemas['NewKey']) => unwrap(api.POST('/api/v1/keys', { body }));
export const deleteKey = (id: string) =>
  unwrap(api.DELETE('/api/v1/keys/{id}', { params: { path: { id } } }));
export const addUser = (body: Schemas['NewUser']) => unwrap(api.POST('/api/v1/users', { body }));
export const setRole = ({ name, role }: { name: string; role: string }) =>
  unwrap(api.PATCH('/api/v1/users/{name}', { params: { path: { name } }, body: { role } }));
export const deleteUser = (name: string) =>
  unwrap(api.DELETE('/api/v1/users/{name}', { params: { path: { name } } }));

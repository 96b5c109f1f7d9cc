import { useIsMutating, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { request, type Schemas } from './client';

export type Identity = Schemas['Identity'];
export type Role = 'admin' | 'developer' | 'viewer';

const key = ['session'];
const leaving = ['sign-out'];

/** Who is signed in; data is null for nobody. */
export function useSession() {
  return useQuery<Identity | null>({
    queryKey: key,
    queryFn: async () => {
      const reply = await request('/auth/session');
      return reply.status === 204 ? null : reply.json();
    },
    staleTime: Number.POSITIVE_INFINITY,
    retry: (n, error) => n < 2 && 'status' in error && error.status !== 403,
  });
}

/** Whether the one who is signed in has at least this role. Buttons that would be refused aren't shown. */
export function useMay(role: Role): boolean {
  const { data } = useSession();
  const rank = { viewer: 1, developer: 2, admin: 3 };
  return data ? rank[data.user.role as Role] >= rank[role] : false;
}

export function useSignIn() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (apiKey: string) =>
      request('/auth/sign-in', { method: 'POST', body: JSON.stringify({ key: apiKey }) }),
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
  });
}

/** Whether the user is about to be signed out: nothing may be asked any more. */
export function useLeaving(): boolean {
  return useIsMutating({ mutationKey: leaving }) > 0;
}

export function useSignOut() {
  const queries = useQueryClient();
  return useMutation({
    mutationKey: leaving,
    mutationFn: async () => {
      await queries.cancelQueries();
      await request('/auth/sign-out', { method: 'POST' });
    },
    onSuccess: () => {
      queries.setQueryData(key, null);
      queries.removeQueries({ predicate: (query) => query.queryKey[0] !== key[0] });
    },
  });
}

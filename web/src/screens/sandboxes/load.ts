import type { Schemas } from '../../api/client';
import { parseDuration } from '../../components/format';

export type Sandbox = Schemas['Sandbox'];
export type Pool = Schemas['Pool'];

/** All sandboxes and pools at one moment. */
export interface Snapshot {
  /** Milliseconds of a clock that only goes forward. */
  at: number;
  items: Sandbox[];
  pools: Pool[];
  /** Cores in use by id, since the snapshot before. */
  cpu: ReadonlyMap<string, number>;
}

/** Adds what only the difference of two snapshots tells: the CPU in use. */
export function follow(before: Snapshot | undefined, now: Omit<Snapshot, 'cpu'>): Snapshot {
  const elapsed = before ? (now.at - before.at) / 1000 : 0;
  // Two of nearly the same moment tell nothing but noise.
  if (before && elapsed < 0.3) return { ...now, at: before.at, cpu: before.cpu };
  const was = new Map(before?.items.map((s) => [s.id, parseDuration(s.usage.cpu)]));
  const cpu = new Map<string, number>();
  for (const s of now.items) {
    const then = was.get(s.id);
    if (then !== undefined && elapsed > 0)
      cpu.set(s.id, Math.max(0, parseDuration(s.usage.cpu) - then) / elapsed);
  }
  return { ...now, cpu };
}

/** What a state is called: users read "prewarmed" for a sandbox that waits for its function. */
export const stateName = (state: string): string => (state === 'stem' ? 'prewarmed' : state);

/** How many sandboxes are in each state, the most first. */
export function countStates(items: Sandbox[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const s of items) counts.set(stateName(s.state), (counts.get(stateName(s.state)) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]));
}

import type { FunctionInfo } from '../../api/queries';
import { latest, type Values } from '../../charts/data';

/** What a function is up to. */
export interface FunctionState {
  /** none: no version serves; idle: scaled to zero; warm: sandboxes are up. */
  kind: 'none' | 'idle' | 'warm';
  sandboxes: number;
}

/** The state of a function, from its sandboxes by state over time. */
export function stateOf(info: FunctionInfo, sandboxes?: Record<string, Values | null>): FunctionState {
  if (!info.active_version) return { kind: 'none', sandboxes: -1 };
  let up = 0;
  for (const [state, values] of Object.entries(sandboxes ?? {}))
    if (state !== 'dead') up += latest(values ?? []) ?? 0;
  const count = Math.ceil(up);
  return count > 0 ? { kind: 'warm', sandboxes: count } : { kind: 'idle', sandboxes: 0 };
}

const nice = [1, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400];

/** A step that makes a sparkline of some forty points, as a Go duration. */
export function sparkStep(seconds: number): string {
  return `${nice.find((step) => seconds / step <= 50) ?? Math.ceil(seconds / 50)}s`;
}

import type { FunctionUsage } from '../../api/usage';

/** GB-seconds that the suggested memory would have saved; null where nothing is suggested. */
export function saving(u: FunctionUsage): number | null {
  if (!u.suggestion || u.memory_limit <= 0) return null;
  return u.gb_seconds * (1 - (u.suggestion.memory_mib * 2 ** 20) / u.memory_limit);
}

/** What all suggestions together would have saved; more memory where too little was given counts against it. */
export function savings(usage: FunctionUsage[]): number {
  return usage.reduce((sum, u) => sum + (saving(u) ?? 0), 0);
}

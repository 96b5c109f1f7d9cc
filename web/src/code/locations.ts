// Finds in stack traces the lines of the user's own files.

export interface Location {
  path: string;
  /** From 1. */
  line: number;
  /** From 1; missing where the language doesn't tell. */
  column?: number;
}

const patterns = [
  /File "([^"\n]+)", line (\d+)/g, // Python
  /(?:file:\/\/)?(\/code\/[^\s:()]+):(\d+)(?::(\d+))?/g, // Node.js
];

/**
 * The places in a trace that are in one of the paths, outermost first as Python has it, innermost first
 * as JavaScript has it.
 */
export function locations(trace: string, paths: Iterable<string>): Location[] {
  const known = new Set(paths);
  const found: Location[] = [];
  for (const pattern of patterns)
    for (const match of trace.matchAll(pattern)) {
      const path = match[1]!.replace(/^\/code\//, '');
      if (!known.has(path)) continue;
      found.push({ path, line: Number(match[2]), ...(match[3] && { column: Number(match[3]) }) });
    }
  return found;
}

/** The place that an address names, as links from stack traces do: ?file=lib/orders.py&line=4. */
export function addressed(params: URLSearchParams, paths: Iterable<string>): Location | null {
  const path = params.get('file');
  const line = Number(params.get('line'));
  return path !== null && line > 0 && new Set(paths).has(path) ? { path, line } : null;
}

/** Where an error arose: the innermost place in the user's files. */
export function innermost(trace: string | undefined, paths: Iterable<string>): Location | null {
  if (!trace) return null;
  const found = locations(trace, paths);
  const python = /File "[^"]+", line \d+/.test(trace);
  return (python ? found[found.length - 1] : found[0]) ?? null;
}

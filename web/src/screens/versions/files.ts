import type { Schemas } from '../../api/client';

export type VersionFile = Schemas['VersionFile'];

export interface FileChange {
  path: string;
  kind: 'added' | 'removed' | 'changed' | 'unknown';
  before?: VersionFile;
  after?: VersionFile;
}

/**
 * The files that differ, by path. Those without text, of the same size, may differ or not: they are
 * "unknown" and only told of when the code as a whole is another.
 */
export function changedFiles(before: VersionFile[], after: VersionFile[]): FileChange[] {
  const was = new Map(before.map((f) => [f.path, f]));
  const is = new Map(after.map((f) => [f.path, f]));
  const changes: FileChange[] = [];
  for (const path of [...new Set([...was.keys(), ...is.keys()])].sort()) {
    const a = was.get(path);
    const b = is.get(path);
    if (!a || !b) {
      changes.push({ path, kind: a ? 'removed' : 'added', before: a, after: b });
      continue;
    }
    const same =
      a.text === b.text && a.bytes === b.bytes && a.executable === b.executable && a.link === b.link;
    if (!same) changes.push({ path, kind: 'changed', before: a, after: b });
    else if (a.text === null && !a.link) changes.push({ path, kind: 'unknown', before: a, after: b });
  }
  return changes;
}

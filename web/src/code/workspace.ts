// The files that are being edited: what they were, what they are now, and what of it is kept in this
// browser. Pure functions; the screen holds the value.
import { strFromU8, strToU8, type Zippable, zipSync } from 'fflate';

export interface SourceFile {
  /** With slashes, relative: "lib/db.py". */
  path: string;
  /** null: no text; its bytes are kept and can't be edited. */
  text: string | null;
  bytes?: Uint8Array;
  executable?: boolean;
}

export interface Workspace {
  files: SourceFile[];
  /** What is deployed, by path; empty for a function that isn't yet. */
  deployed: ReadonlyMap<string, SourceFile>;
}

const byPath = (a: SourceFile, b: SourceFile) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0);

/** What is deployed, unchanged. */
export function workspaceOf(files: SourceFile[]): Workspace {
  const sorted = [...files].sort(byPath);
  return { files: sorted, deployed: new Map(sorted.map((f) => [f.path, f])) };
}

export const find = (w: Workspace, path: string) => w.files.find((f) => f.path === path);

/** Whether a file differs from the deployed one, or isn't deployed. */
export function isChanged(w: Workspace, path: string): boolean {
  const now = find(w, path);
  const before = w.deployed.get(path);
  if (!now || !before) return now !== before;
  return now.text !== before.text || (now.text === null && now.bytes !== before.bytes);
}

/** The paths that differ from what is deployed, those that are gone included. */
export function changes(w: Workspace): string[] {
  const paths = new Set([...w.files.map((f) => f.path), ...w.deployed.keys()]);
  return [...paths].filter((path) => isChanged(w, path)).sort();
}

export function edit(w: Workspace, path: string, text: string): Workspace {
  return { ...w, files: w.files.map((f) => (f.path === path ? { ...f, text } : f)) };
}

/** Adds files; those at the same path give way. */
export function add(w: Workspace, ...files: SourceFile[]): Workspace {
  const paths = new Set(files.map((f) => f.path));
  return { ...w, files: [...w.files.filter((f) => !paths.has(f.path)), ...files].sort(byPath) };
}

export function remove(w: Workspace, path: string): Workspace {
  return { ...w, files: w.files.filter((f) => f.path !== path) };
}

export function rename(w: Workspace, from: string, to: string): Workspace {
  return { ...w, files: w.files.map((f) => (f.path === from ? { ...f, path: to } : f)).sort(byPath) };
}

/** Why a path can't be a new file's, or nothing. */
export function wrongPath(w: Workspace, path: string, instead?: string): string | null {
  if (path === '') return 'Give it a name';
  if (path.startsWith('/') || path.endsWith('/') || path.includes('\\'))
    return 'Use a relative path with slashes';
  if (path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'A path can’t hold empty parts, . or ..';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'A path can’t hold control characters';
  if (path === instead) return null;
  if (find(w, path)) return 'There is a file of that name';
  if (
    w.files.some(
      (f) => f.path !== instead && (f.path.startsWith(`${path}/`) || path.startsWith(`${f.path}/`)),
    )
  )
    return 'A file and a folder can’t have the same name';
  return null;
}

/** The code as a .zip, as a deploy takes it. */
export function zip(files: SourceFile[]): Uint8Array {
  const entries: Zippable = {};
  for (const f of files)
    entries[f.path] = [
      f.text === null ? (f.bytes ?? new Uint8Array()) : strToU8(f.text),
      { os: 3, attrs: (f.executable ? 0o100755 : 0o100644) << 16, level: 6 },
    ];
  return zipSync(entries);
}

/** Bytes as a file: text if they are UTF-8 without zero bytes and not too many. */
export function fileOf(path: string, bytes: Uint8Array, executable = false): SourceFile {
  if (bytes.length <= 512 << 10 && !bytes.includes(0))
    try {
      return {
        path,
        text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
        executable,
      };
    } catch {
      // no text
    }
  return { path, text: null, bytes, executable };
}

/** Reads a .tar as the server writes it: plain files, by ustar and PAX names. */
export function untar(tar: Uint8Array): SourceFile[] {
  const files: SourceFile[] = [];
  const field = (at: number, from: number, length: number) => {
    const raw = tar.subarray(at + from, at + from + length);
    const end = raw.indexOf(0);
    return strFromU8(end < 0 ? raw : raw.subarray(0, end));
  };
  let long: string | null = null;
  for (let at = 0; at + 512 <= tar.length && tar[at] !== 0; ) {
    const size = Number.parseInt(field(at, 124, 12).trim() || '0', 8);
    if (!(size >= 0) || at + 512 + size > tar.length) throw new Error('the archive is cut short');
    const type = String.fromCharCode(tar[at + 156] || 0x30);
    const body = tar.subarray(at + 512, at + 512 + size);
    if (type === 'x') long = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(strFromU8(body))?.[1] ?? null;
    else {
      const prefix = field(at, 345, 155);
      const path = (long ?? (prefix ? `${prefix}/` : '') + field(at, 0, 100)).replace(/^\.\//, '');
      long = null;
      if (type === '0') files.push(fileOf(path, body, (Number.parseInt(field(at, 100, 8), 8) & 0o100) !== 0));
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** A draft in this browser: the texts that differ from version `base`, and what is gone. */
interface Draft {
  base: number;
  texts: Record<string, string>;
  gone: string[];
  at: number;
}

const draftKey = (name: string) => `hearth.draft.${name}`;

/** Keeps what differs from what is deployed; without a difference, keeps nothing. */
export function saveDraft(
  storage: Storage,
  name: string,
  base: number,
  w: Workspace,
  now = Date.now(),
): void {
  const paths = changes(w);
  if (paths.length === 0) {
    dropDraft(storage, name);
    return;
  }
  const draft: Draft = { base, texts: {}, gone: [], at: now };
  for (const path of paths) {
    const file = find(w, path);
    if (!file) draft.gone.push(path);
    else if (file.text !== null) draft.texts[path] = file.text;
  }
  storage.setItem(draftKey(name), JSON.stringify(draft));
}

export function dropDraft(storage: Storage, name: string): void {
  storage.removeItem(draftKey(name));
}

/** Puts the kept draft over what is deployed. `stale`: it began at another version than `base`. */
export function restoreDraft(
  storage: Storage,
  name: string,
  base: number,
  w: Workspace,
): { workspace: Workspace; stale: boolean; at: number } | null {
  let draft: Draft;
  try {
    draft = JSON.parse(storage.getItem(draftKey(name)) ?? '');
  } catch {
    return null;
  }
  if (typeof draft?.texts !== 'object' || !Array.isArray(draft.gone)) return null;
  const texts = Object.entries(draft.texts).map(
    ([path, text]): SourceFile => ({ ...find(w, path), path, text }),
  );
  const kept = { ...w, files: w.files.filter((f) => !draft.gone.includes(f.path)) };
  const workspace = add(kept, ...texts);
  return changes(workspace).length > 0 ? { workspace, stale: draft.base !== base, at: draft.at } : null;
}

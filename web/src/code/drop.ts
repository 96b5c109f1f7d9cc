// Files that a person drops or chooses: single ones, folders, archives.
import { gunzipSync, unzipSync } from 'fflate';
import { Problem } from '../api/problem';
import { fileOf, type SourceFile, untar } from './workspace';

/** More than this isn't taken into the browser's memory. */
const limit = 20 << 20;

/** What nobody means to deploy. */
const skipped = /(^|\/)(\.git|node_modules|__pycache__|\.venv|venv|\.DS_Store|__MACOSX)(\/|$)/;

export async function filesFromDrop(data: DataTransfer): Promise<SourceFile[]> {
  // Entries must be taken before the first await: the browser clears them then.
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter((e) => e != null);
  const files = [...data.files];
  if (entries.length === 0) return filesFromList(files);
  const found: { path: string; file: File }[] = [];
  for (const entry of entries) await walk(entry, '', found);
  const alone = entries.length === 1 && entries[0]!.isDirectory;
  // The folder's own name isn't part of the code.
  return read(alone ? found.map((f) => ({ ...f, path: f.path.slice(f.path.indexOf('/') + 1) })) : found);
}

/** Files of an input; those of a chosen folder know their place in it. */
export function filesFromList(list: Iterable<File>): Promise<SourceFile[]> {
  return read(
    [...list].map((file) => ({
      path: file.webkitRelativePath
        ? file.webkitRelativePath.slice(file.webkitRelativePath.indexOf('/') + 1)
        : file.name,
      file,
    })),
  );
}

async function walk(
  entry: FileSystemEntry,
  at: string,
  found: { path: string; file: File }[],
): Promise<void> {
  const path = at + entry.name;
  if (skipped.test(path)) return;
  if (entry.isFile) {
    const file = await new Promise<File>((done, failed) => (entry as FileSystemFileEntry).file(done, failed));
    found.push({ path, file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives a hundred at a time.
    const some = await new Promise<FileSystemEntry[]>((done, failed) => reader.readEntries(done, failed));
    if (some.length === 0) return;
    for (const e of some) await walk(e, `${path}/`, found);
  }
}

async function read(found: { path: string; file: File }[]): Promise<SourceFile[]> {
  const size = found.reduce((sum, f) => sum + f.file.size, 0);
  if (size > limit)
    throw new Problem({
      code: 'too_large',
      detail: `That is ${Math.round(size / (1 << 20))} MiB, more than the editor takes.`,
      hint: 'Deploy it with the command line: hearth deploy FOLDER',
    });
  const files: SourceFile[] = [];
  for (const { path, file } of found) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (found.length === 1 && /\.zip$/i.test(path)) return unpack(fromZip(bytes));
    if (found.length === 1 && /\.(tar\.gz|tgz)$/i.test(path)) return unpack(untar(gunzipSync(bytes)));
    if (!skipped.test(path)) files.push(fileOf(path, bytes));
  }
  return files;
}

export function fromZip(bytes: Uint8Array): SourceFile[] {
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, { filter: (f) => f.originalSize <= limit });
  } catch {
    throw new Problem({
      code: 'invalid',
      detail: 'The archive can’t be read.',
      hint: 'Make it again as a .zip.',
    });
  }
  return Object.entries(entries)
    .filter(([path]) => !path.endsWith('/'))
    .map(([path, body]) => fileOf(path, body));
}

/** Without what nobody means, and without a single folder around all. */
export function unpack(files: SourceFile[]): SourceFile[] {
  const kept = files.filter((f) => !skipped.test(f.path) && f.path !== '');
  const top = kept[0]?.path.split('/')[0];
  const wrapped = kept.length > 0 && kept.every((f) => f.path.startsWith(`${top}/`));
  return wrapped ? kept.map((f) => ({ ...f, path: f.path.slice(top!.length + 1) })) : kept;
}

// The environment of a function as text and as rows of a form.

export interface EnvRow {
  /** Tells rows apart while names change. */
  id: string;
  name: string;
  value: string;
}

/**
 * Reads the lines of a .env file: NAME=value, with or without export and quotes. Comments and empty lines
 * are left out; lines that are neither are told in `wrong`, by number.
 */
export function parseDotEnv(text: string): { values: Record<string, string>; wrong: number[] } {
  const values: Record<string, string> = {};
  const wrong: number[] = [];
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line === '' || line.startsWith('#')) continue;
    const match = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$/.exec(line);
    if (!match) {
      wrong.push(i + 1);
      continue;
    }
    const name = match[1]!;
    let rest = match[2]!;
    const mark = rest[0];
    if (mark !== '"' && mark !== "'") {
      values[name] = rest.replace(/\s+#.*$/, '').trim();
      continue;
    }
    // A quoted value may go on over several lines.
    const first = i;
    let end = closing(rest, mark);
    while (end < 0 && i + 1 < lines.length) {
      rest += `\n${lines[++i]}`;
      end = closing(rest, mark);
    }
    if (end < 0) {
      wrong.push(first + 1);
      i = first;
      continue;
    }
    const inner = rest.slice(1, end);
    values[name] =
      mark === '"'
        ? inner.replace(/\\([nrt"\\$])/g, (_, c: string) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c)
        : inner;
  }
  return { values, wrong };
}

/** Where the quote that opens text closes; -1 if it doesn't. */
function closing(text: string, mark: string): number {
  for (let i = 1; i < text.length; i++) {
    if (mark === '"' && text[i] === '\\') i++;
    else if (text[i] === mark) return i;
  }
  return -1;
}

/** Puts values into rows: those of known names change, new ones come at the end. */
export function mergeRows(rows: EnvRow[], values: Record<string, string>): EnvRow[] {
  const known = new Set(rows.map((r) => r.name));
  return [
    ...rows
      .filter((r) => r.name !== '' || r.value !== '')
      .map((r) => (Object.hasOwn(values, r.name) ? { ...r, value: values[r.name]! } : r)),
    ...Object.entries(values)
      .filter(([name]) => !known.has(name))
      .map(([name, value]) => ({ id: crypto.randomUUID(), name, value })),
  ];
}

export const rowsOf = (env: Record<string, string> | undefined): EnvRow[] =>
  Object.entries(env ?? {})
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => ({ id: `was ${name}`, name, value }));

/** The environment that rows are; rows without a name are left out. */
export const envOf = (rows: EnvRow[]): Record<string, string> =>
  Object.fromEntries(rows.filter((r) => r.name !== '').map((r) => [r.name, r.value]));

/** What is wrong with rows, in the server's words; nothing if nothing is. */
export function checkEnv(rows: EnvRow[], most: number): string | undefined {
  const seen = new Set<string>();
  let bytes = 0;
  const size = (text: string) => new TextEncoder().encode(text).length;
  for (const { name, value } of rows) {
    if (name === '' && value === '') continue;
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
      return `env holds the name ${JSON.stringify(name)}, which a process can't have: use letters, digits and underscores, not starting with a digit`;
    if (name.startsWith('HEARTH_'))
      return `env sets ${name}, which Hearth sets itself: choose a name that doesn't start with HEARTH_`;
    if (seen.has(name)) return `env holds ${name} twice: take one away`;
    seen.add(name);
    bytes += size(name) + size(value) + 2;
  }
  if (bytes > most)
    return `env is ${bytes} bytes, over the limit of ${most / 1024} KiB: put large settings in a file beside the code`;
  return undefined;
}

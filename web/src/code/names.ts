/** Why a text can't be a function's name, or nothing. As the server says it. */
export function wrongName(name: string): string | null {
  if (name === '') return 'Give it a name';
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) return null;
  if (/[A-Z]/.test(name)) return 'Use small letters';
  if (name.length > 63) return 'Use at most 63 characters';
  if (/^-|-$/.test(name)) return 'Begin and end with a letter or a digit';
  return 'Use small letters, digits and -';
}

/** A name that isn't taken: hello, hello-2, … */
export function freeName(wanted: string, taken: Iterable<string>): string {
  const names = new Set(taken);
  const base =
    wanted
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 58) || 'function';
  for (let n = 1; ; n++) {
    const name = n === 1 ? base : `${base}-${n}`;
    if (!names.has(name)) return name;
  }
}

// A Vite plugin: `import 'virtual:mantine-styles'` brings the style sheets of the Mantine components that the
// sources use, and of those that these are made of. All of them together are twice as much.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Plugin } from 'vite';

const id = 'virtual:mantine-styles';

/** The names that files import from @mantine/core. */
function imported(folder: string): Set<string> {
  const names = new Set<string>();
  for (const name of readdirSync(folder, { recursive: true }) as string[]) {
    if (!/\.tsx?$/.test(name)) continue;
    const text = readFileSync(join(folder, name), 'utf8');
    for (const match of text.matchAll(/import\s*\{([^}]*)\}\s*from\s*['"]@mantine\/core['"]/g))
      for (const part of match[1]!.split(','))
        names.add(
          part
            .trim()
            .replace(/^type\s+/, '')
            .replace(/\s+as\s.*/, ''),
        );
  }
  return names;
}

/** The style sheets of Mantine that sources in a folder need, in the order of the one that has all. */
export function neededStyles(folder: string, core: string): string[] {
  const used = imported(folder);
  // Its other packages, which import from core what they please.
  for (const part of ['notifications', 'spotlight']) {
    const at = resolve(core, '..', part, 'esm');
    for (const name of readdirSync(at, { recursive: true }) as string[])
      if (name.endsWith('.mjs'))
        for (const match of readFileSync(join(at, name), 'utf8').matchAll(
          /import \{([^}]*)\} from "@mantine\/core"/g,
        ))
          for (const part of match[1]!.split(',')) used.add(part.trim().replace(/\s+as\s.*/, ''));
  }
  const index = readFileSync(join(core, 'esm/index.mjs'), 'utf8');
  const queue: string[] = [];
  for (const match of index.matchAll(/import \{([^}]*)\} from "([^"]+)"/g))
    if (match[1]!.split(',').some((name) => used.has(name.trim()))) queue.push(join(core, 'esm', match[2]!));
  const seen = new Set<string>();
  const styles = new Set(['baseline', 'global', 'default-css-variables']);
  for (let file = queue.pop(); file; file = queue.pop()) {
    if (seen.has(file) || !existsSync(file)) continue;
    seen.add(file);
    if (file.endsWith('.module.mjs')) styles.add(basename(file, '.module.mjs'));
    for (const match of readFileSync(file, 'utf8').matchAll(/from "(\.[^"]+)"/g))
      queue.push(resolve(dirname(file), match[1]!));
  }
  const all = readFileSync(join(core, 'styles.css'), 'utf8');
  const sheet = (name: string) => join(core, 'styles', `${name}.css`);
  const place = (name: string) => all.indexOf(readFileSync(sheet(name), 'utf8').trim().slice(0, 120));
  return [...styles].filter((name) => existsSync(sheet(name))).sort((a, b) => place(a) - place(b));
}

export function mantineStyles(): Plugin {
  const src = new URL('src', import.meta.url).pathname;
  const core = new URL('node_modules/@mantine/core', import.meta.url).pathname;
  return {
    name: 'mantine-styles',
    resolveId: (source) => (source === id ? `\0${id}` : null),
    load: (source) =>
      source === `\0${id}`
        ? neededStyles(src, core)
            .map((name) => `import '@mantine/core/styles/${name}.css';`)
            .join('\n')
        : null,
  };
}

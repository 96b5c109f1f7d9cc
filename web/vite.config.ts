import { readFileSync } from 'node:fs';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';
import { mantineStyles } from './mantine-styles';

// The server that `npm run dev` passes requests on to.
const server = process.env.HEARTH_URL ?? 'http://127.0.0.1:8080';

const openapi = JSON.parse(readFileSync(new URL('src/api/openapi.json', import.meta.url), 'utf8'));

/** Imports each icon by its own file: reading the index of all six thousand takes most of a build. */
function icons(): Plugin {
  const index = /import\s*\{([^}]*)\}\s*from\s*['"]@tabler\/icons-react['"];?/g;
  return {
    name: 'icons',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('/src/') || !code.includes('@tabler/icons-react')) return null;
      return code.replace(index, (_, names: string) =>
        names
          .split(',')
          .map((name) => name.trim())
          .filter((name) => name && !name.startsWith('type '))
          .map((name) => `import ${name} from '@tabler/icons-react/dist/esm/icons/${name}.mjs';`)
          .join(' '),
      );
    },
  };
}

export default defineConfig({
  base: '/ui/',
  define: { __PATHS__: JSON.stringify(Object.keys(openapi.paths)) },
  plugins: [icons(), mantineStyles(), react()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
    manifest: 'manifest.json',
  },
  server: {
    proxy: Object.fromEntries(
      ['/api', '/auth', '/fn', '/openapi.json'].map((path) => [path, { target: server }]),
    ),
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    restoreMocks: true,
  },
});

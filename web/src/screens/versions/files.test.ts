import { expect, it } from 'vitest';
import type { Version } from '../../api/queries';
import { changesBetween, valuesOf } from '../configuration/fields';
import { changedFiles, type VersionFile } from './files';

const file = (path: string, text: string | null, more: Partial<VersionFile> = {}): VersionFile => ({
  path,
  text,
  bytes: text?.length ?? 100,
  executable: false,
  ...more,
});

it('tells the files that differ from those that stay', () => {
  const kinds = changedFiles(
    [
      file('a', '1'),
      file('b', '2'),
      file('d', '4'),
      file('run', 'x'),
      file('same.bin', null),
      file('x.bin', null),
    ],
    [
      file('b', '3'),
      file('c', '3'),
      file('d', '4'),
      file('run', 'x', { executable: true }),
      file('same.bin', null),
      file('x.bin', null, { bytes: 7 }),
    ],
  ).map((f) => `${f.path} ${f.kind}`);
  expect(kinds).toEqual([
    'a removed',
    'b changed',
    'c added',
    'run changed',
    'same.bin unknown',
    'x.bin changed',
  ]);
});

const version = (memory: number, timeout: string, env: Record<string, string>) =>
  ({
    runtime: 'python3.11',
    handler: 'main.handler',
    sandbox: 'native',
    config: {
      limits: { memory, timeout, cpu: 1, pids: 64, tmp: 64, idle_chunk: '30s' },
      env,
      network: 'none',
      concurrency: 1,
      max_scale: 0,
      min_warm: 0,
      keep_alive: '0s',
      batch: {},
    },
  }) as unknown as Version;

it('tells what differs between configurations, and not how it is written', () => {
  const a = version(128, '60s', { KEPT: '1', GONE: '2', OTHER: '3' });
  const b = version(256, '1m0s', { KEPT: '1', NEW: '2', OTHER: '4' });
  const changes = changesBetween(valuesOf(a), valuesOf(b), a.config.env, b.config.env);
  expect(changes.map((c) => `${c.key}: ${c.before} → ${c.after}`)).toEqual([
    'limits.memory: 128 MiB → 256 MiB',
    'env.GONE: 2 → undefined',
    'env.NEW: undefined → 2',
    'env.OTHER: 3 → 4',
  ]);
  expect(changesBetween(valuesOf(a), valuesOf(a), a.config.env, a.config.env)).toEqual([]);
});

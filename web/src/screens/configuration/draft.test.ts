import { describe, expect, it } from 'vitest';
import type { FunctionInfo } from '../../api/queries';
import { checkDraft, checkValue, draftOf, fieldOfProblem, patchOf, rebase } from './draft';
import { checkEnv, mergeRows, parseDotEnv, rowsOf } from './env';
import { type Bounds, fieldOf } from './fields';

const info = (over: object = {}, env: Record<string, string> = { A: '1', B: '2' }) =>
  ({
    name: 'hello',
    public: false,
    routes: [{ path: '/hello' }, { method: 'GET', path: '/x', cors: { origins: [] } }],
    version: {
      runtime: 'python3.11',
      handler: 'main.handler',
      sandbox: 'native',
      config: {
        limits: { memory: 128, cpu: 1, timeout: '10s', idle_chunk: '30s', pids: 64, tmp: 64 },
        env,
        network: 'none',
        concurrency: 1,
        max_scale: 0,
        min_warm: 0,
        keep_alive: '0s',
        batch: {},
        ...over,
      },
    },
  }) as unknown as FunctionInfo;

const bounds = {
  memory: { min: 32, max: 65536 },
  min_memory: { 'python3.11': 40 },
  cpu: { min: 0.05, max: 128 },
  timeout: { min: '10ms', max: '1h0m0s' },
  concurrency: { min: 1, max: 1000 },
  max_scale: { min: 0, max: 10000 },
  min_warm: { min: 0, max: 100 },
  keep_alive: { min: '0s', max: '24h0m0s' },
  idle_chunk: { min: '10ms', max: '1h0m0s' },
  pids: { min: 16, max: 32768 },
  tmp: { min: 1, max: 16384 },
  batch_size: { min: 0, max: 1000 },
  batch_wait: { min: '0s', max: '1m0s' },
  env_bytes: 40,
} as unknown as Bounds;

describe('a patch', () => {
  it('holds what changed, as the server takes it, and nothing else', () => {
    const before = draftOf(info());
    const after = {
      ...before,
      values: { ...before.values, 'limits.memory': '256', 'batch.wait': '5ms', 'limits.timeout': '10000ms' },
      env: [
        { id: '1', name: 'A', value: '1' },
        { id: '2', name: 'C', value: '' },
      ],
    };
    expect(patchOf(before, after)).toEqual({
      patch: { limits: { memory: 256 }, batch: { wait: '5ms' }, env: { B: null, C: '' } },
      deploys: true,
    });
    expect(patchOf(before, before)).toEqual({ patch: {}, deploys: false });
  });
  it('needs no new version for what belongs to the function', () => {
    const before = draftOf(info());
    const own = { origins: ['*'], methods: [], headers: [], credentials: false, max_age: '' };
    const after = { ...before, public: true, routes: [{ ...before.routes[1]!, cors: own }], cors: null };
    expect(patchOf(before, after)).toEqual({
      patch: { public: true, routes: [{ method: 'GET', path: '/x', cors: { origins: ['*'] } }] },
      deploys: false,
    });
    expect(patchOf({ ...before, cors: own }, before).patch).toEqual({ cors: { origins: [] } });
  });
  it('sends null for what shall be the default again', () => {
    const before = draftOf(info());
    const after = { ...before, values: { ...before.values, 'limits.memory': '' } };
    expect(patchOf(before, after).patch).toEqual({ limits: { memory: null } });
  });
});

it('keeps my changes on top of theirs', () => {
  const base = draftOf(info());
  const mine = {
    ...base,
    values: { ...base.values, 'limits.memory': '256' },
    env: rowsOf({ A: 'mine', B: '2' }),
    public: true,
  };
  const theirs = draftOf(info({ concurrency: 5, min_warm: 2 }, { A: '1', B: 'theirs', C: 'theirs' }));
  const { patch } = patchOf(theirs, rebase(base, mine, theirs));
  expect(patch).toEqual({ limits: { memory: 256 }, env: { A: 'mine' }, public: true });
});

describe('what is wrong', () => {
  const check = (key: string, value: string) => checkValue(fieldOf(key)!, value, bounds, 'python3.11');
  it("is told in the server's words", () => {
    expect(check('limits.memory', '20')).toBe(
      'memory is 20 MiB, out of range: give memory a value from 32 to 65536',
    );
    expect(check('limits.memory', '36')).toContain("with which python3.11 doesn't start");
    expect(check('limits.memory', '64.5')).toContain('whole number');
    expect(check('limits.timeout', '5')).toContain('is not a duration');
    expect(check('limits.timeout', '2h')).toContain('out of range');
    expect(check('concurrency', '0')).toBe('concurrency is 0, out of range: use 1 to 1000');
    expect(check('limits.cpu', 'many')).toContain('number');
  });
  it('is nothing for what is right, and for the default', () => {
    for (const [key, value] of [
      ['limits.memory', '64'],
      ['limits.memory', ''],
      ['limits.cpu', '0.5'],
      ['limits.timeout', '1m30s'],
    ] as const)
      expect(check(key, value), `${key} ${value}`).toBeUndefined();
    expect(checkDraft(draftOf(info()), bounds)).toEqual({});
  });
  it('is told of the environment and the routes', () => {
    const env = (name: string, value = '') => checkEnv([{ id: '1', name, value }], 40);
    expect(env('1A')).toContain("can't have");
    expect(env('HEARTH_X')).toContain('Hearth sets itself');
    expect(env('BIG', 'x'.repeat(40))).toContain('over the limit');
    expect(env('GOOD', 'x')).toBeUndefined();
    const draft = draftOf(info());
    expect(checkDraft({ ...draft, routes: [...draft.routes, draft.routes[0]!] }, bounds).routes).toContain(
      'twice',
    );
  });
  it('is found at its field', () => {
    expect(['memory', 'batch.size', 'env', 'route.cors', 'nothing', undefined].map(fieldOfProblem)).toEqual([
      'limits.memory',
      'batch.size',
      'env',
      'routes',
      undefined,
      undefined,
    ]);
  });
});

it('reads .env files as people write them', () => {
  const { values, wrong } = parseDotEnv(
    '# a comment\n\nA=1\nexport B = two words # said\r\nC="x # y\\n\\"z\\""\nD=\'a\\nb\'\nE=\nF="first\nsecond"\nnot a line\nG="open',
  );
  expect(values).toEqual({
    A: '1',
    B: 'two words',
    C: 'x # y\n"z"',
    D: 'a\\nb',
    E: '',
    F: 'first\nsecond',
  });
  expect(wrong).toEqual([10, 11]);
  const rows = mergeRows(rowsOf({ A: '0', Z: '9' }), { A: '1', N: '2' });
  expect(rows.map((r) => `${r.name}=${r.value}`)).toEqual(['A=1', 'Z=9', 'N=2']);
});

import { describe, expect, it } from 'vitest';
import {
  durationOf,
  type Filters,
  gbSeconds,
  type Invocation,
  matches,
  noFilters,
  presetOf,
  presets,
  readFilters,
  toCommand,
  toPath,
  toQuery,
  withPreset,
  writeFilters,
} from './filters';

const call = (some: Partial<Invocation> = {}): Invocation => ({
  id: '01JA0000000000000000000001',
  function: 'hello',
  version: 2,
  trigger: 'http',
  at: '2026-01-01T00:00:00.000Z',
  outcome: 'ok',
  status: 200,
  start: 'warm',
  duration: '120ms',
  phases: { queue: '20ms', sandbox: '0s', load: '0s', import: '0s', handler: '100ms', reply: '0s' },
  request_bytes: 1,
  reply_bytes: 2,
  memory_limit: 128 << 20,
  usage: { cpu: '1ms', memory: 1, memory_peak: 120 << 20, pids: 1 },
  ...some,
});

const read = (query: string) => readFilters(new URLSearchParams(query));

describe('the filters of an address', () => {
  it('come back as they were written, and leave the rest of the address', () => {
    const full: Filters = {
      function: 'hello',
      version: '3',
      outcome: ['failed', 'throttled'],
      start: ['cold'],
      trigger: 'api',
      min: '300ms',
      memory: '0.9',
      id: '01JA',
      text: "it's gone & 100 %",
      fingerprint: 'ab12',
      order: 'slowest',
    };
    const written = writeFilters(new URLSearchParams('range=6h&open=1'), full);
    expect(written.get('range')).toBe('6h');
    expect(written.get('open')).toBe('1');
    expect(read(written.toString())).toEqual(full);
    expect(writeFilters(written, noFilters).toString()).toBe('range=6h&open=1');
  });
  it('are none where the address says nothing, or nonsense', () => {
    expect(read('')).toEqual(noFilters);
    expect(read('order=up&min=soon&version=v2&version=-1&memory=9&outcome=,')).toEqual(noFilters);
  });
});

it('reads durations as people write them', () => {
  expect(['300', '300ms', '1.5 s', '2m', 'x', '0', ''].map(durationOf)).toEqual([
    '300ms',
    '300ms',
    '1.5s',
    '2m',
    '',
    '',
    '',
  ]);
});

describe('what the stream brings', () => {
  const fits = (some: Partial<Filters>, i: Partial<Invocation> = {}) =>
    matches(call(i), { ...noFilters, ...some });
  it('is filtered as the server filters what is stored', () => {
    expect(fits({})).toBe(true);
    expect(fits({ function: 'hello', version: '2', trigger: 'http' })).toBe(true);
    expect(fits({ function: 'other' })).toBe(false);
    expect(fits({ version: '3' })).toBe(false);
    expect(fits({ trigger: 'api' })).toBe(false);
    expect(fits({ min: '120ms' })).toBe(true);
    expect(fits({ min: '121ms' })).toBe(false);
    expect(fits({ memory: '0.9' })).toBe(true);
    expect(fits({ memory: '0.95' })).toBe(false);
    expect(fits({ memory: '0.1' }, { usage: undefined })).toBe(false);
    expect(fits({ id: '01ja' })).toBe(true);
    expect(fits({ id: '01JB' })).toBe(false);
    expect(fits({ fingerprint: 'x' })).toBe(false);
  });
  it('failed is all but ok, throttled and cancelled; cold is all but warm', () => {
    const outcomes = ['ok', 'function_error', 'timeout', 'throttled', 'cancelled', 'platform_error'];
    expect(outcomes.filter((outcome) => fits({ outcome: ['failed'] }, { outcome }))).toEqual([
      'function_error',
      'timeout',
      'platform_error',
    ]);
    expect(fits({ outcome: ['ok', 'timeout'] })).toBe(true);
    expect(fits({ start: ['cold'] })).toBe(false);
    expect(fits({ start: ['cold'] }, { start: 'forked' })).toBe(true);
    expect(fits({ start: ['cold'] }, { start: undefined })).toBe(false);
  });
  it('text is of the error', () => {
    const error = { code: 'function_error', type: 'KeyError', message: "'Milk'" };
    expect(fits({ text: 'milk' }, { error })).toBe(true);
    expect(fits({ text: 'KEYE' }, { error })).toBe(true);
    expect(fits({ text: 'tea' }, { error })).toBe(false);
    expect(fits({ text: 'milk' })).toBe(false);
  });
});

describe('a preset', () => {
  it('keeps the function and version, and is known again', () => {
    for (const p of presets) {
      const f = withPreset({ ...noFilters, function: 'hello', version: '2', text: 'x' }, p);
      expect(f.function + f.version + f.text).toBe('hello2');
      expect(presetOf(f)?.name).toBe(p.name);
      expect(presetOf(readFilters(writeFilters(new URLSearchParams(), f)))?.name).toBe(p.name);
    }
    expect(presetOf({ ...noFilters, text: 'x' })).toBeUndefined();
  });
});

it('costs what the memory cost while it was held, without the queue', () => {
  expect(gbSeconds(call())).toBeCloseTo(0.0125);
  expect(gbSeconds(call({ memory_limit: undefined }))).toBe(0);
});

it('gives the same to API and command line', () => {
  const f: Filters = {
    ...noFilters,
    function: 'a',
    outcome: ['failed', 'throttled'],
    min: '300',
    text: "it's",
  };
  expect(toQuery(f)).toMatchObject({ function: 'a', min_duration: '300ms', sort: 'newest' });
  expect(toPath(f)).toBe(
    '/api/v1/invocations?function=a&outcome=failed&outcome=throttled&min_duration=300ms&text=it%27s',
  );
  expect(toCommand(f)).toBe(
    "hearth invocations a --failed --outcome throttled --slower 300ms --grep 'it'\\''s'",
  );
});

import { expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { toCsv } from './csv';
import { promqlOf } from './promql';

it('writes a row for each step, gaps as empty cells', () => {
  const series = {
    function: 'f',
    requests: [null, 0, 2],
    errors: [null, 0, 1],
    outcomes: { ok: [null, 0, 1], timeout: [null, 0, 1] },
    duration: { p50: [null, null, 0.25] },
    start: { p99: [null, null, 0.1] },
    cpu: [null, 0, 0.4],
    total: {},
  } as unknown as Schemas['MetricSeries'];
  const data = { at: [0, 10, 20], step: '10s' } as Schemas['MetricData'];
  expect(toCsv(data, series).split('\r\n')).toEqual([
    'time,requests,errors,outcome_ok,outcome_timeout,duration_p50_seconds,cold_start_p99_seconds,cpu_seconds',
    '1970-01-01T00:00:00.000Z,,,,,,,',
    '1970-01-01T00:00:10.000Z,0,0,0,0,,,0',
    '1970-01-01T00:00:20.000Z,2,1,1,1,0.25,0.1,0.4',
    '',
  ]);
});

it('names the function in each query', () => {
  for (const { query } of promqlOf('hello')) expect(query).toContain('function="hello"');
});

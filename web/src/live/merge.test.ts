import { describe, expect, it } from 'vitest';
import type { Schemas } from '../api/client';
import { extend, type LiveMetrics, Seconds } from './merge';

const second = (at: number, requests: number, more: Partial<Schemas['LiveSeries']> = {}): LiveMetrics => ({
  at,
  step: 1,
  series: [
    {
      function: '',
      requests,
      errors: 0,
      outcomes: requests ? { ok: requests } : {},
      p50: requests ? 0.002 : null,
      p95: requests ? 0.004 : null,
      p99: requests ? 0.005 : null,
      cpu: 0,
      memory_max: null,
      ...more,
    },
  ],
  host: { cpu: 0.5, memory: 100, memory_total: 200 },
  load: { running: 0, waiting: 0, sandboxes: 0, memory_mib: 0, evicted: 0, recovered: 0 },
});

/** An answer of three steps of ten seconds, the first of which is a gap. */
const answer = (requests: (number | null)[] = [null, 4, 1]) =>
  ({
    from: '',
    to: '',
    step: '10s',
    at: [100, 110, 120],
    deploys: [{ at: '2026-01-01T00:00:00Z', function: 'f', version: 1, kind: 'deployed' }],
    series: [
      {
        function: '',
        requests: [...requests],
        errors: [null, 0, 0],
        outcomes: { ok: [...requests] },
        duration: {
          p50: [null, 0.001, null],
          p95: [null, 0.001, null],
          p99: [null, 0.001, null],
          max: [null, 1, null],
        },
        total: { requests: 5 },
      },
    ],
    host: {
      cpu: [null, 0.1, 0.2],
      memory: [null, 1, 2],
      cpu_cores: 3,
      memory_total: 200,
      hearth_cpu: [null, 0, 0],
      hearth_memory: [null, 1, 1],
    },
  }) as unknown as Schemas['MetricData'];

const told = (...events: LiveMetrics[]) => {
  const s = new Seconds('');
  for (const e of events) s.add(e);
  return s;
};

describe('extend', () => {
  it('leaves an answer alone that nothing was told of', () => {
    const data = answer();
    expect(extend(data, new Seconds(''))).toBe(data);
    expect(extend(data, told(second(119, 3)))).toBe(data);
  });

  it('grows the last step by what was told of it, once', () => {
    const s = told(second(119, 9), second(120, 1), second(121, 2), second(121, 2));
    const got = extend(answer(), s);
    expect(got.series[0]!.requests).toEqual([null, 4, 3]);
    expect(got.series[0]!.outcomes!.ok).toEqual([null, 4, 3]);
    // An answer that came later knows it all.
    expect(extend(answer([null, 4, 8]), s).series[0]!.requests).toEqual([null, 4, 8]);
  });

  it('leaves a step alone of which it saw only the end', () => {
    const got = extend(answer(), told(second(125, 7)));
    expect(got.series[0]!.requests).toEqual([null, 4, 1]);
  });

  it('begins new steps and lets old ones go', () => {
    const got = extend(answer(), told(second(125, 7), second(130, 2), second(131, 1), second(140, 0)));
    expect(got.at).toEqual([120, 130, 140]);
    expect(got.series[0]!.requests).toEqual([1, 3, 0]);
    expect(got.series[0]!.total.requests).toBe(5);
    expect(got.host!.cpu).toEqual([0.2, 0.5, 0.5]);
    expect(got.host!.hearth_cpu).toEqual([0, null, null]);
    expect(got.host!.cpu_cores).toBe(3);
    expect(got.deploys).toHaveLength(1);
  });

  it('tells quantiles of one busy second, never of several', () => {
    const one = extend(answer(), told(second(120, 2), second(121, 0))).series[0]!.duration!;
    expect(one.p50).toEqual([null, 0.001, 0.002]);
    expect(one.max).toEqual([null, 1, null]);
    const two = extend(answer(), told(second(120, 2), second(121, 1))).series[0]!.duration!;
    expect(two.p50).toEqual([null, 0.001, null]);
  });

  it('shows an outcome that was never seen before', () => {
    const got = extend(answer(), told(second(120, 2, { outcomes: { ok: 1, timeout: 1 }, errors: 1 })));
    expect(got.series[0]!.outcomes!.timeout).toEqual([null, 0, 1]);
    expect(got.series[0]!.errors).toEqual([null, 0, 1]);
  });

  it('changes nothing of the answer itself', () => {
    const data = answer();
    extend(data, told(second(120, 5), second(131, 1)));
    expect(data).toEqual(answer());
  });

  it('holds as much after an hour of updates as after a minute, and loses none', () => {
    const start = 1_000_000;
    const at = Array.from({ length: 120 }, (_, i) => start + (i - 119) * 30);
    let data = { ...answer(), step: '30s', at } as Schemas['MetricData'];
    const zeros = () => at.map(() => 0 as number | null);
    data.series = [
      {
        ...data.series[0]!,
        requests: zeros(),
        errors: zeros(),
        outcomes: { ok: zeros() },
        duration: undefined,
      },
    ];
    data.host = undefined;
    const s = new Seconds('', 300);
    let sum = 0;
    for (let i = 0; i < 3_600; i++) {
      s.add(second(start + i, (i % 7) + 1));
      sum += (i % 7) + 1;
      data = extend(data, s);
      expect(s.size).toBeLessThanOrEqual(300);
    }
    expect(data.at).toHaveLength(120);
    expect(data.at[119]! - data.at[0]!).toBe(119 * 30);
    const { requests, outcomes } = data.series[0]!;
    expect(requests).toHaveLength(120);
    expect(requests!.reduce<number>((a, b) => a + (b ?? 0), 0)).toBe(sum);
    expect(outcomes!.ok).toEqual(requests);
  });
});

import { expect, it } from 'vitest';
import type { Schemas } from '../../api/client';
import { feedOf } from './Feed';
import { signsOf } from './Health';
import { topOf } from './Top';

it('tells deploys and failures together, the newest first', () => {
  const deploys = [{ at: '2026-01-01T00:00:03Z' }, { at: '2026-01-01T00:00:01Z' }] as Schemas['Deploy'][];
  const errors = [{ last: '2026-01-01T00:00:02Z' }] as Schemas['ErrorGroup'][];
  expect(feedOf(deploys, errors, 8).map((i) => i.kind)).toEqual(['deploy', 'error', 'deploy']);
  expect(feedOf(deploys, errors, 1)).toHaveLength(1);
});

it('finds the functions with the most of something, and none with nothing', () => {
  const series = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name, i) => ({
    function: name,
    total: { requests: i, errors: i === 2 ? 1 : 0, error_rate: i === 2 ? 0.5 : 0, p95: i },
  })) as unknown as Schemas['MetricSeries'][];
  expect(topOf(series, 'traffic').map((r) => r.name)).toEqual(['g', 'f', 'e', 'd', 'c']);
  expect(topOf(series, 'errors')).toMatchObject([{ name: 'c', text: '1 · 50 %' }]);
});

const server = (more: object) =>
  ({
    load: { running: 1, waiting: 0 },
    dropped: 0,
    defaults: { concurrency: 8 },
    sandbox: 'native',
    sandboxes: [{ name: 'native', isolation: 'namespaces' }],
    ...more,
  }) as unknown as Schemas['Server'];
const tones = (signs: ReturnType<typeof signsOf>) => Object.fromEntries(signs.map((s) => [s.text, s.tone]));

it('says of each part of the server how it is', () => {
  const pool = { runtime: 'python3.11', ready: 1, target: 2 } as Schemas['Pool'];
  expect(tones(signsOf(server({}), [pool]))).toEqual({
    'Database ok': 'good',
    'No queue': 'good',
    'Sandbox native': 'good',
    '1 of 2 prewarmed': 'good',
    'No telemetry dropped': 'good',
  });
  expect(
    tones(
      signsOf(
        server({
          load: { running: 8, waiting: 3 },
          dropped: 5,
          sandboxes: [{ name: 'native', error: 'no namespaces' }],
        }),
        [{ ...pool, error: 'no room' }],
      ),
    ),
  ).toEqual({
    'Database ok': 'good',
    '3 waiting': 'warn',
    'Sandbox native unusable': 'bad',
    '1 of 2 prewarmed': 'bad',
    '5 records dropped': 'warn',
  });
});

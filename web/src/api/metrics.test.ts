import { expect, it } from 'vitest';
import type { Schemas } from './client';
import { markersOf } from './metrics';

it('marks deploys, and those that would overlap together', () => {
  const deploy = (at: string, version: number) => ({ at, function: 'f', version, kind: 'deployed' });
  const marks = markersOf({
    step: '10s',
    deploys: [
      deploy('2026-01-01T00:00:00Z', 1),
      deploy('2026-01-01T00:00:59Z', 2),
      deploy('2026-01-01T00:01:00Z', 3),
    ],
  } as Schemas['MetricData']);
  expect(marks.map((m) => m.label)).toEqual(['2 deploys', 'v3']);
  expect(marks[0]!.about).toContain('f version 2 deployed');
});

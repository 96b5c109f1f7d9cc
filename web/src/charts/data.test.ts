import { describe, expect, it } from 'vitest';
import { latest, lonely, positive, seriesAt, sparkPaths, stack, summarize, timeLabels } from './data';

describe('stack', () => {
  it('sums from the bottom', () =>
    expect(
      stack([
        [1, 2],
        [10, 20],
        [0, 5],
      ]),
    ).toEqual([
      [1, 2],
      [11, 22],
      [11, 27],
    ]));
  it('keeps a gap that all share, and takes one of a single series for none', () =>
    expect(
      stack([
        [1, null, null],
        [2, null, 4],
      ]),
    ).toEqual([
      [1, null, 0],
      [3, null, 4],
    ]));
  it('takes nothing', () => expect(stack([])).toEqual([]));
});

it('finds the series that a click means', () => {
  const stacked = [[2], [5], [5]];
  expect(seriesAt(stacked, 0, 1, true)).toBe(0);
  expect(seriesAt(stacked, 0, 3, true)).toBe(1);
  expect(seriesAt(stacked, 0, 6, true)).toBe(-1);
  expect(seriesAt([[2], [5], [null]], 0, 4, false)).toBe(1);
  expect(seriesAt([[2]], 0, Number.NaN, false)).toBe(-1);
});

it('leaves zero out of a logarithmic scale', () =>
  expect(positive([0, 1, null, -2])).toEqual([null, 1, null, null]));
it('finds points between two gaps', () => expect(lonely([1, null, 2, 3, null, 4], 0, 5)).toEqual([0, 5]));
it('takes the last value that is there', () => {
  expect(latest([1, 2, null])).toBe(2);
  expect(latest([null])).toBeNull();
});

it('says in words what a chart shows', () => {
  const ms = (n: number) => `${n} ms`;
  expect(
    summarize(
      'Duration',
      [
        { label: 'p50', values: [4, 9, 2, null] },
        { label: 'max', values: [null] },
      ],
      ms,
    ),
  ).toBe('Duration: p50 2 ms, at most 9 ms');
  expect(summarize('Duration', [], ms)).toBe('Duration: no data in this range');
});

it('labels times by what tells them apart', () => {
  const at = (...parts: [number, number, number]) => new Date(2026, 2, 4, ...parts).getTime() / 1000;
  expect(timeLabels([at(0, 0, 0), at(9, 5, 0)], 300)).toEqual(['4 Mar', '09:05']);
  expect(timeLabels([at(9, 5, 30)], 30)).toEqual(['09:05:30']);
  expect(timeLabels([at(12, 0, 0)], 86_400)).toEqual(['4 Mar']);
});

describe('sparkPaths', () => {
  it('breaks at gaps and shows lone points', () =>
    expect(sparkPaths([0, 10, null, 5], 30, 10, 10)).toEqual(['M0.0 10.0L10.0 0.0', 'M30.0 5.0h0.01']));
  it('lies on the ground where nothing happened', () =>
    expect(sparkPaths([0, 0], 10, 4, 0)).toEqual(['M0.0 4.0L10.0 4.0']));
});

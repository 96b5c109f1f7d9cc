import { describe, expect, it } from 'vitest';
import type { MetricSeries } from '../../api/metrics';
import { deltaOf, mean, ratio, sandboxCount, total } from './figures';

it('sums and averages what is there', () => {
  expect(total([1, null, 2])).toBe(3);
  expect(total([null])).toBeNull();
  expect(total(undefined)).toBeNull();
  expect(mean([1, null, 2])).toBe(1.5);
  expect(mean([])).toBeNull();
});

it('divides, and makes a gap of nothing by nothing', () =>
  expect(ratio([0, 1, 0, null], [4, 4, 0, null])).toEqual([0, 0.25, null, null]));

it('counts sandboxes of all states', () =>
  expect(
    sandboxCount({ sandboxes: { idle: [1, null, 2], busy: [3, null, null] } } as unknown as MetricSeries),
  ).toEqual([4, null, 2]));

describe('deltaOf', () => {
  it('tells shares of change, for the better or the worse', () => {
    expect(deltaOf(150, 100, { better: 'more' })).toEqual({ text: '50 %', up: true, tone: 'good' });
    expect(deltaOf(150, 100, { better: 'less' })).toEqual({ text: '50 %', up: true, tone: 'bad' });
    expect(deltaOf(50, 100)).toEqual({ text: '50 %', up: false });
    expect(deltaOf(101.5, 100)).toEqual({ text: '1.5 %', up: true });
  });
  it('tells points of shares', () =>
    expect(deltaOf(0.031, 0.01, { better: 'less', points: true })).toEqual({
      text: '2.1 pp',
      up: true,
      tone: 'bad',
    }));
  it('makes nothing of noise', () => expect(deltaOf(100.1, 100, { better: 'more' })!.tone).toBeUndefined());
  it('is silent where nothing compares', () => {
    expect(deltaOf(1, null)).toBeNull();
    expect(deltaOf(null, 1)).toBeNull();
    expect(deltaOf(1, 0)).toBeNull();
  });
});

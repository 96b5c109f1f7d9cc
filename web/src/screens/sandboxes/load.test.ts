import { describe, expect, it } from 'vitest';
import { countStates, follow, type Sandbox } from './load';

const box = (id: string, cpu: string, state = 'busy') => ({ id, state, usage: { cpu } }) as Sandbox;

describe('follow', () => {
  it('tells the cores in use between two snapshots', () => {
    const first = follow(undefined, { at: 1000, items: [box('a', '1s')], pools: [] });
    expect(first.cpu.size).toBe(0);
    const second = follow(first, { at: 3000, items: [box('a', '1.5s'), box('b', '9s')], pools: [] });
    expect([...second.cpu]).toEqual([['a', 0.25]]);
  });
  it('keeps what it knew when two come close together', () => {
    const first = follow(undefined, { at: 0, items: [box('a', '0s')], pools: [] });
    const second = follow(first, { at: 1000, items: [box('a', '500ms')], pools: [] });
    const third = follow(second, { at: 1050, items: [box('a', '510ms')], pools: [] });
    expect(third.cpu.get('a')).toBe(0.5);
    expect(follow(third, { at: 2000, items: [box('a', '1.5s')], pools: [] }).cpu.get('a')).toBeCloseTo(0.99);
  });
  it('forgets those that are gone', () => {
    const first = follow(undefined, { at: 0, items: [box('a', '1s')], pools: [] });
    expect(follow(first, { at: 1000, items: [], pools: [] }).cpu.size).toBe(0);
  });
});

it('counts states by the words of users', () =>
  expect(countStates([box('a', '', 'stem'), box('b', '', 'idle'), box('c', '', 'stem')])).toEqual([
    ['prewarmed', 2],
    ['idle', 1],
  ]));

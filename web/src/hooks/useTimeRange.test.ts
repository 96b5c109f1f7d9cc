import { describe, expect, it } from 'vitest';
import { momentsOf, parseRange, rangeFlags, rangeQuery } from './useTimeRange';
import { withParams } from './useUrlState';

const read = (query: string) => parseRange(new URLSearchParams(query));

describe('the time range of an address', () => {
  it('is the last hour if it says nothing, or nothing known', () => {
    for (const query of ['', 'range=2y', 'range=toString', 'from=5', 'from=5&to=5', 'from=x&to=9'])
      expect(read(query), query).toEqual({ name: '1h', seconds: 3600 });
  });
  it('is a known name, or two moments, which win', () => {
    expect(read('range=24h')).toEqual({ name: '24h', seconds: 86_400 });
    expect(read('range=24h&from=100&to=160')).toEqual({ name: 'custom', seconds: 60, from: 100, to: 160 });
  });
  it('becomes moments for queries', () => {
    const now = Date.UTC(2026, 0, 1, 12);
    expect(momentsOf(read('range=6h'), now)).toEqual({
      from: '2026-01-01T06:00:00.000Z',
      to: '2026-01-01T12:00:00.000Z',
    });
    expect(momentsOf(read('from=0.5&to=1.5'), now).to).toBe('1970-01-01T00:00:01.500Z');
  });
  it('becomes flags of a command', () => {
    expect(rangeFlags(read('range=7d'))).toBe('--since 7d');
    expect(rangeFlags(read('from=1&to=2'))).toBe(
      '--since 1970-01-01T00:00:01.000Z --until 1970-01-01T00:00:02.000Z',
    );
  });
  it('goes along to other screens, and nothing else does', () => {
    expect(rangeQuery(new URLSearchParams('sort=name&range=7d'))).toBe('?range=7d');
    expect(rangeQuery(new URLSearchParams('sort=name'))).toBe('');
  });
});

it('changes some names of a query and leaves the others', () => {
  const before = new URLSearchParams('a=1&b=2');
  expect(withParams(before, { a: null, c: '3' }).toString()).toBe('b=2&c=3');
  expect(before.toString()).toBe('a=1&b=2');
});

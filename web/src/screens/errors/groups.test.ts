import { expect, it } from 'vitest';
import { arrange, type ErrorGroup, nameOf, type Sort, versionsOf } from './groups';

const group = (some: Partial<ErrorGroup>): ErrorGroup => ({
  fingerprint: 'f',
  function: 'a',
  outcome: 'function_error',
  message: '',
  count: 1,
  first: '2026-01-01T00:00:00Z',
  last: '2026-01-01T00:00:00Z',
  first_version: 1,
  last_version: 1,
  new_in: 0,
  samples: [],
  sparkline: [],
  ...some,
});

const groups = [
  group({ fingerprint: 'key', type: 'KeyError', message: "'cake'", frame: 'orders.py:4 in price', count: 7 }),
  group({ fingerprint: 'slow', outcome: 'timeout', function: 'b', last: '2026-01-03T00:00:00Z', new_in: 2 }),
  group({ fingerprint: 'young', first: '2026-01-02T00:00:00Z', last: '2026-01-02T00:00:00Z', count: 3 }),
];
const order = (sort: Sort, text = '', fn = '') => arrange(groups, sort, text, fn).map((g) => g.fingerprint);

it('orders groups by what a reader looks for', () => {
  expect(order('last')).toEqual(['slow', 'young', 'key']);
  expect(order('count')).toEqual(['key', 'young', 'slow']);
  expect(order('first')).toEqual(['young', 'key', 'slow']);
  expect(order('new')).toEqual(['slow', 'young', 'key']);
});

it('finds groups by any words of them', () => {
  expect(order('last', 'PRICE keyerror')).toEqual(['key']);
  expect(order('last', 'timeout')).toEqual(['slow']);
  expect(order('last', 'tea')).toEqual([]);
  expect(order('last', '', 'b')).toEqual(['slow']);
});

it('names groups and their versions', () => {
  expect(groups.map(nameOf)).toEqual(['KeyError', 'timeout', 'function error']);
  expect(versionsOf(group({}))).toBe('v1');
  expect(versionsOf(group({ first_version: 2, last_version: 5 }))).toBe('v2–v5');
});

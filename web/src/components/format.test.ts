import { describe, expect, it } from 'vitest';
import {
  formatBytes,
  formatCount,
  formatRate,
  formatRelative,
  formatSeconds,
  formatShare,
  parseDuration,
} from './format';

describe('parseDuration', () => {
  it.each([
    ['300ms', 0.3],
    ['1m0.5s', 60.5],
    ['1h2m3s', 3723],
    ['1.5µs', 1.5e-6],
    ['-2s', -2],
    ['0s', 0],
    ['0', 0],
    [undefined, 0],
  ])('reads %s', (text, seconds) => expect(parseDuration(text)).toBeCloseTo(seconds, 12));
  it.each(['fast', '3', '1s x', 'ms'])('refuses %s', (text) => expect(parseDuration(text)).toBeNaN());
});

it.each([
  [null, '–'],
  [0, '0 s'],
  [0.0000005, '0.5 µs'],
  [0.00124, '1.24 ms'],
  [0.9, '900 ms'],
  [1.5, '1.5 s'],
  [125, '2 m 5 s'],
  [3600, '1 h'],
  [90_000, '1 d 1 h'],
  [-0.25, '−250 ms'],
])('writes %s seconds as %s', (value, text) => expect(formatSeconds(value)).toBe(text));

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.5 KiB'],
  [512 * 1024 * 1024, '512 MiB'],
])('writes %s bytes as %s', (value, text) => expect(formatBytes(value)).toBe(text));

it.each([
  [9999, '9999'],
  [12_340, '12.3k'],
  [3_000_000, '3M'],
  [0.25, '0.25'],
])('writes the count %s as %s', (value, text) => expect(formatCount(value)).toBe(text));

it.each([
  [0, '0/s'],
  [0.05, '3/min'],
  [120, '120/s'],
])('writes the rate %s as %s', (value, text) => expect(formatRate(value)).toBe(text));

it.each([
  [0, '0 %'],
  [1, '100 %'],
  [0.0001, '<0.1 %'],
  [0.9999, '>99.9 %'],
  [0.051, '5.1 %'],
  [0.5, '50 %'],
])('writes the share %s as %s', (value, text) => expect(formatShare(value)).toBe(text));

it('tells how long ago', () => {
  const now = Date.UTC(2026, 2, 4);
  const ago = (seconds: number) => formatRelative(now - seconds * 1000, now);
  expect([1, 59, 61, 7_200, 200_000, -7_200].map(ago)).toEqual([
    'just now',
    '59 s ago',
    '1 min ago',
    '2 h ago',
    '2 d ago',
    'in 2 h',
  ]);
});

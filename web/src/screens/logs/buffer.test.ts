import { describe, expect, it } from 'vitest';
import { LogBuffer, mostLines } from './buffer';
import type { LogLine } from './line';

const line = (seq: number): LogLine => ({
  seq,
  at: '',
  function: 'f',
  version: 1,
  stream: 'stdout',
  text: `${seq}`,
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => line(from + i));
const seqs = (b: LogBuffer) => b.current.lines.map((l) => l.seq);

describe('the ring of log lines', () => {
  it('holds lines in the order of the server, each once', () => {
    const b = new LogBuffer();
    b.reset([line(3), line(2), line(1)]); // newest first, as the API gives them
    b.push([line(3), line(5), line(4), line(5)]);
    b.push([line(4), line(6)]);
    expect(seqs(b)).toEqual([1, 2, 3, 4, 5, 6]);
  });
  it('takes older pages before, and what overlaps once', () => {
    const b = new LogBuffer();
    b.reset(range(10, 12));
    expect(b.prepend([line(11), line(10), line(9), line(8)])).toBe(2);
    expect(seqs(b)).toEqual([8, 9, 10, 11, 12]);
  });
  it('holds new lines back while the reader looks at older ones', () => {
    const b = new LogBuffer();
    b.reset(range(1, 3));
    b.follow(false);
    b.push(range(3, 5));
    expect(seqs(b)).toEqual([1, 2, 3]);
    expect(b.current.held).toBe(2);
    b.follow(true);
    expect(seqs(b)).toEqual([1, 2, 3, 4, 5]);
    expect(b.current.held).toBe(0);
  });
  it('says so when more was held back than there is room for, and begins anew from the store', () => {
    const b = new LogBuffer(10);
    b.reset(range(1, 6));
    b.follow(false);
    b.push(range(7, 12));
    expect(b.current).toMatchObject({ held: 6, overflowed: true });
    b.follow(true);
    b.push(range(13, 14)); // not behind line 6: there is a gap
    expect(seqs(b)).toEqual([1, 2, 3, 4, 5, 6]);
    b.reset(range(5, 14));
    b.push([line(15)]);
    expect(seqs(b)).toEqual([6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
  });
  it('keeps what came live while a page was read', () => {
    const b = new LogBuffer();
    b.push([line(5), line(6)]);
    b.reset(range(1, 5));
    expect(seqs(b)).toEqual([1, 2, 3, 4, 5, 6]);
  });
  it('counts what the stream left out', () => {
    const b = new LogBuffer();
    b.lose(3);
    b.lose(4);
    expect(b.current.lost).toBe(7);
  });
  it('never grows beyond its bound: an hour of two hundred lines a second', () => {
    const b = new LogBuffer();
    b.reset([]);
    let seq = 1;
    let shown = 0;
    for (let second = 0; second < 3600; second += 5) {
      // A reader who looks at older lines for a minute, every ten; more than can be held.
      b.follow(second % 600 < 540);
      if (b.current.overflowed && second % 600 < 540) b.reset(range(Math.max(1, seq - 500), seq - 1));
      b.push(range(seq, seq + 999));
      seq += 1000;
      shown = Math.max(shown, b.current.lines.length);
      expect(b.current.lines.length).toBeLessThanOrEqual(mostLines);
    }
    expect(shown).toBe(mostLines);
    b.follow(true);
    expect(b.current.lines.at(-1)?.seq === seq - 1 || b.current.overflowed).toBe(true);
    const all = seqs(b);
    expect(new Set(all).size).toBe(all.length);
  });
});

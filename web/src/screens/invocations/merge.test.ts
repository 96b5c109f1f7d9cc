import { describe, expect, it } from 'vitest';
import type { Invocation } from './filters';
import { type InvocationPage, mergeNewest, rowsOf } from './merge';

const call = (n: number): Invocation =>
  ({ id: `01J${String(n).padStart(6, '0')}`, at: new Date(n * 1000).toISOString() }) as Invocation;
const page = (from: number, to: number, next?: string): InvocationPage => ({
  items: Array.from({ length: from - to + 1 }, (_, i) => call(from - i)),
  next,
});
const ids = (pages: InvocationPage[]) => rowsOf(pages).map((i) => Number(i.id.slice(3)));

describe('calls that come live', () => {
  it('go to the head, the newest first', () => {
    expect(ids(mergeNewest([page(3, 1)], [call(4), call(6), call(5)]))).toEqual([6, 5, 4, 3, 2, 1]);
  });
  it('are never there twice, be it by the stream or in a page', () => {
    const pages = mergeNewest([page(3, 1)], [call(3), call(4), call(4), call(2)]);
    expect(ids(pages)).toEqual([4, 3, 2, 1]);
    expect(mergeNewest(pages, [call(4)])).toBe(pages);
    // A page that was read later overlaps: rows had moved on.
    expect(ids([page(6, 4, 'c'), page(5, 3)])).toEqual([6, 5, 4, 3]);
  });
  it('that took long go where they were admitted', () => {
    const pages = [
      { items: [call(9), call(7)], next: 'a' },
      { items: [call(5), call(3)], next: 'b' },
    ];
    const merged = mergeNewest(pages, [call(8), call(4), call(6)]);
    expect(ids(merged)).toEqual([9, 8, 7, 6, 5, 4, 3]);
    expect(merged[0]!.next).toBe('a');
  });
  it('older than all that was read wait for their page, and are the end where there is none', () => {
    expect(ids(mergeNewest([page(9, 7, 'more')], [call(2)]))).toEqual([9, 8, 7]);
    expect(ids(mergeNewest([page(9, 7)], [call(2)]))).toEqual([9, 8, 7, 2]);
    expect(ids(mergeNewest([{ items: [] }], [call(1), call(2)]))).toEqual([2, 1]);
    expect(mergeNewest([], [call(1)])).toEqual([]);
  });
  it('leave the pages that they are not in as they are', () => {
    const pages = [page(9, 8, 'a'), page(7, 6, 'b')];
    const merged = mergeNewest(pages, [call(10)]);
    expect(merged[1]).toBe(pages[1]);
    expect(merged[0]).not.toBe(pages[0]);
  });
});

import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { emptyInput } from './input';
import { sendTraffic } from './traffic';

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const start = (options: Partial<Parameters<typeof sendTraffic>[2]> = {}) =>
  sendTraffic('f', emptyInput, {
    rate: 10,
    seconds: 1,
    signal: new AbortController().signal,
    onProgress: () => {},
    ...options,
  });

it('spreads its calls evenly and counts how they end', async () => {
  let n = 0;
  vi.stubGlobal('fetch', async () => new Response('', { status: n++ % 2 ? 500 : 200 }));
  const progress: number[] = [];
  const all = start({ onProgress: (t) => progress.push(t.done) });
  await vi.advanceTimersByTimeAsync(500);
  expect(n).toBe(5);
  await vi.advanceTimersByTimeAsync(700);
  expect(await all).toEqual({ sent: 10, ok: 5, failed: 5, done: 1 });
  expect(progress).toHaveLength(10);
});

it('leaves connections for the page', async () => {
  const fetch = vi.fn(() => new Promise<Response>(() => {}));
  vi.stubGlobal('fetch', fetch);
  const controller = new AbortController();
  const all = start({ signal: controller.signal });
  await vi.advanceTimersByTimeAsync(900);
  expect(fetch).toHaveBeenCalledTimes(3);
  controller.abort();
  expect((await all).sent).toBe(3);
});

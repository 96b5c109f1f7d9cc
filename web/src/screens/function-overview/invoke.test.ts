import { expect, it, vi } from 'vitest';
import { complaint, invoke, pretty } from './invoke';

it('makes JSON readable, and leaves other text alone', () => {
  expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
  expect(pretty('a: 1')).toBe('a: 1');
});

it('says what is wrong with an event', () => {
  expect(complaint('{}')).toBeUndefined();
  expect(complaint('  ')).toBeUndefined();
  expect(complaint('{')).toBeTruthy();
});

it('gives the reply with what the platform says of the call', async () => {
  const fetch = vi.fn(
    async () =>
      new Response('{"ok":1}', { headers: { 'X-Hearth-Invocation-Id': '01X', 'X-Hearth-Start': 'warm' } }),
  );
  vi.stubGlobal('fetch', fetch);
  expect(await invoke('hello', '{"a":1}')).toMatchObject({ id: '01X', start: 'warm', body: '{"ok":1}' });
  expect(fetch).toHaveBeenCalledWith(
    '/api/v1/functions/hello/invoke',
    expect.objectContaining({ method: 'POST', body: '{"a":1}' }),
  );
});

it('gives the problem of a call that failed', async () => {
  vi.stubGlobal(
    'fetch',
    async () =>
      new Response('{"code":"function_timeout","detail":"too long","invocation":"01Y"}', { status: 504 }),
  );
  const answer = await invoke('slow', '');
  expect(answer.id).toBe('01Y');
  expect(answer.problem?.code).toBe('function_timeout');
  expect(answer.body).toBeUndefined();
});

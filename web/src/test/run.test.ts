import { afterEach, describe, expect, it, vi } from 'vitest';
import { diffLines } from './diff';
import { bodyOf, commandsOf, pretty, requestOf, runTest, type TestInput } from './run';

const json: TestInput = { kind: 'json', method: 'GET', path: '/', headers: [], body: '{"a":1}' };
const http: TestInput = {
  kind: 'http',
  method: 'POST',
  path: '/items?q=1',
  headers: [
    ['X-A', "it's"],
    ['', 'left out'],
  ],
  body: 'hi',
};

afterEach(() => vi.unstubAllGlobals());
const answer = (body: BodyInit | null, init?: ResponseInit) =>
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response(body, init)),
  );

describe('a test’s request', () => {
  it('invokes with a document, of a version if one is asked for', () => {
    expect(requestOf('f', json, 3)).toMatchObject({
      url: '/api/v1/functions/f/invoke?version=3',
      init: { body: '{"a":1}' },
    });
    expect(requestOf('f', json).url).toBe('/api/v1/functions/f/invoke');
  });
  it('asks the function’s address, without a body where the method has none', () => {
    const { url, init } = requestOf('f', http);
    expect(url).toBe('/fn/f/items?q=1');
    expect(init).toMatchObject({
      method: 'POST',
      headers: [['X-A', "it's"]],
      body: 'hi',
      redirect: 'manual',
    });
    expect(requestOf('f', { ...http, method: 'GET' }).init).not.toHaveProperty('body');
  });
  it('can be made in a terminal', () => {
    expect(commandsOf('f', json).cli).toBe(`hearth invoke f -d '{"a":1}'`);
    expect(commandsOf('f', http).curl).toContain(
      `-X POST -H "Authorization: Bearer $HEARTH_API_KEY" -H 'X-A: it'\\''s' --data-raw 'hi'`,
    );
  });
});

describe('a test’s result', () => {
  it('is the reply with its headers', async () => {
    answer('{"x":2}', {
      status: 201,
      headers: {
        'Content-Type': 'application/json',
        'X-Hearth-Invocation-Id': 'I',
        'X-Hearth-Start': 'warm',
        'X-Hearth-Version': '4',
      },
    });
    const r = await runTest('f', json);
    expect(r).toMatchObject({ id: 'I', status: 201, start: 'warm', version: 4, problem: null });
    expect(r.body?.text).toBe('{"x":2}');
    expect(r.headers).toEqual([['content-type', 'application/json']]);
  });
  it('is the problem of a function that failed', async () => {
    answer(JSON.stringify({ code: 'function_error', detail: 'no', trace: 'T', invocation: 'I' }), {
      status: 502,
      headers: { 'Content-Type': 'application/problem+json' },
    });
    expect(await runTest('f', json)).toMatchObject({
      id: 'I',
      status: 502,
      body: null,
      problem: { code: 'function_error', message: 'no', trace: 'T' },
    });
  });
  it('is a reply, too, where the function itself answers with a problem', async () => {
    answer('{"title":"mine"}', {
      status: 400,
      headers: { 'Content-Type': 'application/problem+json', 'X-Hearth-Start': 'warm' },
    });
    expect(await runTest('f', http)).toMatchObject({
      status: 400,
      problem: null,
      body: { text: '{"title":"mine"}' },
    });
  });
  it('says when there is no server', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('Failed to fetch');
    });
    expect((await runTest('f', json)).problem?.code).toBe('network');
  });
});

describe('a body', () => {
  it('is text, an image or neither', () => {
    expect(bodyOf(new TextEncoder().encode('hä'), 'text/plain')).toEqual({
      text: 'hä',
      bytes: 3,
      type: 'text/plain',
    });
    expect(bodyOf(new Uint8Array([1, 2]), 'image/png').image).toBe('data:image/png;base64,AQI=');
    expect(bodyOf(new Uint8Array([0xff]), 'application/octet-stream').text).toBeNull();
  });
  it('is cut where it is long', () => {
    const body = bodyOf(new Uint8Array(300 << 10).fill(65), 'text/plain');
    expect(body).toMatchObject({ cut: true, bytes: 300 << 10 });
    expect(body.text).toHaveLength(256 << 10);
  });
  it('is indented if it is JSON', () => {
    expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(pretty('no')).toBeNull();
  });
});

describe('a diff', () => {
  it('tells lines apart', () =>
    expect(diffLines('a\nb\nc', 'a\nx\nc\nd').map((l) => `${l.kind[0]}${l.text}`)).toEqual([
      'sa',
      'gb',
      'nx',
      'sc',
      'nd',
    ]));
  it('gives up on what is long', () => {
    const long = 'x\n'.repeat(2000);
    expect(diffLines(long, long).every((l) => l.kind === 'same')).toBe(true);
    expect(diffLines(long, 'y')).toHaveLength(2002);
  });
});

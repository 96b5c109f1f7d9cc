import { describe, expect, it } from 'vitest';
import { type Capture, curlOfCapture, prettyJSON, textOf } from './captured';
import { toTestEvent } from './SaveEvent';

const http: Capture = {
  invocation: '01J',
  function: 'shop',
  version: 1,
  request: {
    kind: 'http',
    http: {
      method: 'POST',
      path: '/items',
      raw_path: '/fn/shop/items',
      raw_query: 'q=1',
      headers: {
        Host: ['x'],
        Accept: ['a', 'b'],
        Authorization: ['[redacted]'],
        'X-Api-Key': ['[redacted]'],
        Traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
      },
    },
    body: `{"it's":1}`,
    base64: false,
    truncated: false,
    bytes: 10,
    redacted: ['header authorization', 'header x-api-key'],
  },
};
const json: Capture = {
  ...http,
  request: { kind: 'json', body: '{"a":1}', base64: false, truncated: false, bytes: 7 },
};

describe('a captured call', () => {
  it('is a curl command that a shell takes, without what curl says by itself', () => {
    const curl = curlOfCapture('shop', http, true);
    expect(curl).toBe(
      `curl -X POST -H 'Accept: a' -H 'Accept: b' -H 'X-Api-Key: [redacted]' --data-raw '{"it'\\''s":1}' '${location.origin}/fn/shop/items?q=1'`,
    );
    expect(curlOfCapture('shop', http, false)).toContain('$HEARTH_API_KEY');
    expect(curlOfCapture('shop', json, true)).toMatch(
      /-X POST --data-raw '\{"a":1\}' '.*\/api\/v1\/functions\/shop\/invoke'$/,
    );
  });
  it('is a test event, without what was taken out', () => {
    expect(toTestEvent(http)).toEqual({
      kind: 'http',
      method: 'POST',
      path: '/items?q=1',
      headers: { Accept: 'a, b', Traceparent: expect.any(String) },
      body: `{"it's":1}`,
    });
    expect(toTestEvent(json)).toEqual({ kind: 'json', body: '{"a":1}' });
  });
});

it('reads bodies of bytes where they are text', () => {
  const body = (b: string) => ({ body: b, base64: true, truncated: false, bytes: 1 });
  expect(textOf(body('w7w='))).toBe('ü');
  expect(textOf(body('/w=='))).toBeNull();
  expect(textOf(body('!'))).toBeNull();
});

it('sets out JSON, and leaves the rest alone', () => {
  expect(prettyJSON('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  for (const text of ['', 'x', '12', '{"a":']) expect(prettyJSON(text)).toBeNull();
});

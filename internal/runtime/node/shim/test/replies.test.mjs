// Events that come in and replies that go out: JSON, HTTP, bytes, streams.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Flag, Shim, Type, answerOf } from './harness.mjs';

const echoEvent = 'export const handler = (event) => event';

async function eventOf(t, http, body) {
  const shim = await Shim.of(t, { 'index.mjs': echoEvent });
  shim.request(http, body);
  return JSON.parse((await shim.answer()).text);
}

test('an HTTP event has payload format 2.0', async (t) => {
  const before = Date.now();
  const event = await eventOf(t, {
    method: 'POST', path: '/a b', raw_path: '/fn/tester/a%20b', raw_query: 'x=1&x=2&y=%C3%A4+b&z', host: 'fn.example.org:8080', route: 'POST /a/*',
    headers: { 'Content-Type': ['application/json'], 'X-Two': ['1', '2'], Cookie: ['a=b; c=d'], 'User-Agent': ['curl/8'] },
  }, '{"n":1}');
  const { time, timeEpoch } = event.requestContext;
  assert.ok(timeEpoch >= before && timeEpoch <= Date.now());
  assert.match(time, /^\d\d\/[A-Z][a-z][a-z]\/\d{4}:\d\d:\d\d:\d\d \+0000$/);
  assert.equal(Math.floor(timeEpoch / 1000), Date.parse(time.replace(/^(\d+)\/(\w+)\/(\d+):/, '$1 $2 $3 ')) / 1000);
  delete event.requestContext.time;
  delete event.requestContext.timeEpoch;
  assert.deepEqual(event, {
    version: '2.0', routeKey: 'POST /a/*', rawPath: '/a b', rawQueryString: 'x=1&x=2&y=%C3%A4+b&z',
    cookies: ['a=b', 'c=d'],
    headers: { 'content-type': 'application/json', 'x-two': '1,2', cookie: 'a=b; c=d', 'user-agent': 'curl/8' },
    queryStringParameters: { x: '1,2', y: 'ä b', z: '' },
    requestContext: {
      accountId: 'anonymous', apiId: 'tester', domainName: 'fn.example.org:8080', domainPrefix: 'fn',
      http: { method: 'POST', path: '/a b', protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: 'curl/8' },
      requestId: 'call-1', routeKey: 'POST /a/*', stage: '$default',
    },
    body: '{"n":1}', isBase64Encoded: false,
  });
});

test('what a request lacks, its event lacks', async (t) => {
  const event = await eventOf(t);
  for (const name of ['cookies', 'queryStringParameters', 'body']) assert.ok(!(name in event), name);
  assert.equal(event.isBase64Encoded, false);
});

for (const [type, body, text] of [
  ['text/plain', 'ä', true], ['TEXT/HTML; charset=utf-8', 'x', true], ['application/json', '{}', true], ['application/ld+json', '{}', true],
  ['application/atom+xml; a=b', '<a/>', true], ['application/x-www-form-urlencoded', 'a=b', true], ['application/javascript', '1', true],
  ['application/xml', '<a/>', true], ['image/png', 'x', false], ['application/octet-stream', 'x', false], ['', 'x', false],
  ['application/jsonx', 'x', false], ['text/plain', Buffer.from([0xff, 0xfe]), false],
]) {
  test(`a body of ${type || 'no type'} is ${text ? 'text' : 'base64'}: ${Buffer.from(body).toString('hex')}`, async (t) => {
    const event = await eventOf(t, { headers: type ? { 'content-type': [type] } : {} }, body);
    assert.equal(event.isBase64Encoded, !text);
    assert.deepEqual(Buffer.from(event.body, text ? 'utf8' : 'base64'), Buffer.from(body));
  });
}

test('cookies of several headers come together', async (t) => {
  const event = await eventOf(t, { headers: { cookie: ['a=1,2; b=2', 'c=3'] }, raw_query: 'cookie=1&cookie=2' });
  assert.deepEqual(event.cookies, ['a=1,2', 'b=2', 'c=3']);
  assert.equal(event.headers.cookie, 'a=1,2; b=2; c=3');
  assert.equal(event.queryStringParameters.cookie, '1,2');
});

test('a name like __proto__ in a query is a name', async (t) => {
  const event = await eventOf(t, { raw_query: '__proto__=1&constructor=2' });
  assert.deepEqual(Object.entries(event.queryStringParameters), [['__proto__', '1'], ['constructor', '2']]);
});

const json = { 'content-type': ['application/json'] };
for (const [what, value, want] of [
  ['a string body', '({ statusCode: 201, headers: { "X-A": "1" }, body: "hi" })', { status: 201, headers: { ...json, 'x-a': ['1'] }, text: 'hi' }],
  ['an object body', '({ statusCode: 200, body: { a: 1 } })', { status: 200, headers: json, text: '{"a":1}' }],
  ['no body', '({ statusCode: 204 })', { status: 204, headers: json, text: '' }],
  ['a base64 body', '({ statusCode: 200, headers: { "content-type": "image/png" }, body: "AAH/", isBase64Encoded: true })', { status: 200, headers: { 'content-type': ['image/png'] }, text: Buffer.from([0, 1, 255]).toString() }],
  ['a buffer body', '({ statusCode: 200, headers: { "Content-Type": "x/y" }, body: Buffer.from("buf") })', { status: 200, headers: { 'content-type': ['x/y'] }, text: 'buf' }],
  ['several values and cookies', '({ statusCode: 200, headers: { a: ["1", "2"], n: 5, b: true }, multiValueHeaders: { m: ["x", "y"] }, cookies: ["c=1", "d=2; Secure"], body: "" })',
    { status: 200, headers: { ...json, a: ['1', '2'], n: ['5'], b: ['true'], m: ['x', 'y'], 'set-cookie': ['c=1', 'd=2; Secure'] }, text: '' }],
  ['a status as text', '({ statusCode: "404", body: "no" })', { status: 404, headers: json, text: 'no' }],
  ['a buffer', 'Buffer.from("raw")', { status: 200, headers: { 'content-type': ['application/octet-stream'] }, text: 'raw' }],
  ['a Uint8Array', 'new Uint8Array([104, 105])', { status: 200, headers: { 'content-type': ['application/octet-stream'] }, text: 'hi' }],
  ['a string', '"plain"', { status: 200, headers: json, text: 'plain' }],
  ['null', 'null', { status: 200, headers: json, text: 'null' }],
  ['undefined', 'undefined', { status: 200, headers: json, text: 'null' }],
  ['an object', '({ a: [1, null, NaN] })', { status: 200, headers: json, text: '{"a":[1,null,null]}' }],
  ['a list', '[1, "a"]', { status: 200, headers: json, text: '[1,"a"]' }],
  ['a number', '42', { status: 200, headers: json, text: '42' }],
]) {
  test(`an HTTP reply may be ${what}`, async (t) => {
    const { head, text } = await answerOf(t, `export const handler = async () => ${value}`, { http: {} });
    assert.deepEqual({ status: head.status, headers: head.headers, text }, want);
    assert.ok(head.handler_us >= 0);
  });
}

for (const [what, value, want] of [
  ['text', '"plain"', '"plain"'], ['nothing', 'undefined', 'null'], ['bytes', 'Buffer.from("raw")', 'raw'], ['NaN', 'NaN', 'null'],
  ['an object with a statusCode', '({ statusCode: 200, body: "x" })', '{"statusCode":200,"body":"x"}'],
  ['a date', 'new Date(0)', '"1970-01-01T00:00:00.000Z"'],
]) {
  test(`a plain reply may be ${what}`, async (t) => {
    const { head, text } = await answerOf(t, `export const handler = async () => ${value}`);
    assert.equal(text, want);
    assert.deepEqual(Object.keys(head), ['handler_us']);
  });
}

for (const [what, value, type, http] of [
  ['a BigInt', '1n', 'BigInt'], ['a cycle', '(() => { const a = {}; a.a = a; return a })()', 'TypeError'], ['a function', '(() => () => 1)()', 'Function'],
  ['a Set', 'new Set([1])', 'Set'], ['a Map', 'new Map()', 'Map'], ['a symbol', 'Symbol("x")', 'Symbol'], ['a nested BigInt', '({ n: 1n })', 'TypeError'],
  ['status 99', '({ statusCode: 99 })', 'statusCode', {}], ['status 600', '({ statusCode: 600 })', 'statusCode', {}], ['status "x"', '({ statusCode: "x" })', 'statusCode', {}],
  ['status 200.5', '({ statusCode: 200.5 })', 'statusCode', {}],
  ['a header with a line break', '({ statusCode: 200, headers: { a: "b\\r\\nc: d" } })', 'headers', {}],
  ['a bad header name', '({ statusCode: 200, headers: { "a b": "c" } })', 'headers', {}],
  ['cookies that are no list', '({ statusCode: 200, cookies: "a=b" })', 'cookies', {}],
  ['17 MiB', 'Buffer.alloc(17 << 20)', 'TooLarge'],
  ['2 MiB of headers', '({ statusCode: 200, headers: { a: "x".repeat(2 << 20) } })', 'TooLarge', {}],
]) {
  test(`a reply can't be ${what}`, async (t) => {
    const { error } = await answerOf(t, `export const handler = async () => ${value}`, { http });
    assert.equal(error.kind, 'reply');
    assert.equal(error.type, type);
    assert.ok(error.message.length > 10, error.message);
  });
}

test('6 MB go in and out unchanged', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export const handler = (event) => Buffer.from(event.body, "base64")' });
  const body = Buffer.alloc(6 << 20, 0).map((_, i) => i * 31);
  shim.request({ headers: { 'content-type': ['application/octet-stream'] } }, body);
  const answer = await shim.answer();
  assert.ok(answer.body.equals(body));
});

const TEXT = 'text/plain; charset=utf-8';
const BYTES = 'application/octet-stream';
for (const [what, source, chunks, type = TEXT, status = 200] of [
  ['a generator', 'export function* handler() { yield "a"; yield "b" }', ['a', 'b']],
  ['an async generator', 'export async function* handler() { yield "a"; await null; yield "b" }', ['a', 'b']],
  ['a function that returns an iterator', 'export const handler = async () => ["a", "b"].values()', ['a', 'b']],
  ['a Readable', 'import { Readable } from "node:stream"; export const handler = () => Readable.from(["a", "b"])', ['a', 'b']],
  ['a web stream', 'export const handler = () => new ReadableStream({ start(c) { c.enqueue("a"); c.enqueue("b"); c.close() } })', ['a', 'b']],
  ['bytes', 'export function* handler() { yield Buffer.from("a"); yield new Uint8Array([98]) }', ['a', 'b'], BYTES],
  ['objects', 'export function* handler() { yield { a: 1 }; yield [2]; yield null }', ['{"a":1}\n', '[2]\n', 'null\n'], BYTES],
  ['nothing', 'export function* handler() {}', [], BYTES],
  ['a head first', 'export function* handler() { yield { statusCode: 202, headers: { "Content-Type": "text/event-stream" } }; yield "data: 1\\n\\n" }', ['data: 1\n\n'], 'text/event-stream', 202],
  ['a reply with a body that streams', 'async function* f() { yield "x" } export const handler = async () => ({ statusCode: 203, headers: { "content-type": "text/csv" }, body: f() })', ['x'], 'text/csv', 203],
]) {
  test(`a reply streams: ${what}`, async (t) => {
    const answer = await answerOf(t, source, { http: {} });
    assert.deepEqual(answer.chunks, chunks);
    assert.equal(answer.head.status, status);
    assert.deepEqual(answer.head.headers['content-type'], [type]);
  });
}

test('a plain reply streams without status', async (t) => {
  const { head, chunks } = await answerOf(t, 'export function* handler() { yield { statusCode: 200 }; yield 1 }');
  assert.deepEqual(Object.keys(head), ['handler_us']);
  assert.deepEqual(chunks, ['{"statusCode":200}\n', '1\n']);
});

test('a stream that breaks half-way ends in an error', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export async function* handler() { yield "a"; yield "b"; throw new RangeError("over") }' });
  shim.request();
  const { error, chunks } = await shim.answer();
  assert.deepEqual(chunks, ['a', 'b']);
  assert.equal(error.type, 'RangeError');
});

test('a stream that breaks before its first item is a plain error', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export async function* handler() { throw new RangeError("over") }' });
  shim.request();
  const { error, head } = await shim.answer();
  assert.equal(head, undefined);
  assert.equal(error.type, 'RangeError');
});

test('a stream waits for credit and never sends more than it has', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export function* handler() { yield ""; for (let i = 0; i < 10; i++) yield Buffer.alloc(100_000, i) }' });
  const stream = shim.request();
  assert.equal((await shim.next()).type, Type.ready);
  assert.equal((await shim.next()).type, Type.result);
  let got = 0;
  const take = async (upTo) => {
    while (got < upTo) {
      const frame = await shim.next();
      assert.equal(frame.type, Type.chunk);
      assert.ok(frame.body.length <= 64 << 10);
      got += frame.body.length;
    }
  };
  await take(256 << 10);
  assert.equal(got, 256 << 10);
  shim.send(Type.ping, 0, 0, undefined, Buffer.from('quiet?'));
  assert.equal((await shim.next()).type, Type.pong); // nothing in between: it waits
  shim.send(Type.credit, 0, stream, { bytes: 1000 });
  await take((256 << 10) + 1000);
  shim.send(Type.ping, 0, 0, undefined, Buffer.from('quiet?'));
  assert.equal((await shim.next()).type, Type.pong);
  shim.send(Type.credit, 0, stream, { bytes: 10_000_000 });
  await take(1_000_000);
  const end = await shim.next();
  assert.equal(end.flags, Flag.END);
  assert.equal(got, 1_000_000);
});

test('a stream that waits for credit can be cancelled, and its generator cleans up', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export function* handler() { try { for (;;) yield Buffer.alloc(65536) } finally { console.log("cleaned") } }' });
  const stream = shim.request();
  await shim.next();
  await shim.next();
  for (let got = 0; got < 256 << 10;) got += (await shim.next()).body.length;
  shim.send(Type.cancel, 0, stream, { reason: 'disconnect' });
  const { error, logs } = await shim.answer();
  assert.equal(error.kind, 'cancelled');
  assert.equal(logs[0].text, 'cleaned\n');
});

// Handlers written for AWS Lambda with Node's own library run unchanged.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { FIXTURES, Shim } from './harness.mjs';

const start = (t, name) => Shim.of(t, FIXTURES, `${name}.handler`);

test('an S3 notification with a callback', async (t) => {
  const shim = await start(t, 's3-event');
  const event = { Records: [{ s3: { bucket: { name: 'b' }, object: { key: 'my+photo%2B1.jpg' } } }] };
  for (let i = 0; i < 2; i++) {
    assert.deepEqual(await shim.call(event), [{ bucket: 'b', key: 'my photo+1.jpg', ext: '.jpg', q: 'key=my%20photo%2B1.jpg' }]);
  }
});

test('a REST endpoint that keeps state', async (t) => {
  const shim = await start(t, 'api-proxy');
  const stream = shim.request({ method: 'POST', path: '/notes', headers: { 'content-type': ['application/json'] } }, '{"text":"oil"}');
  const created = await shim.answer();
  assert.equal(created.head.status, 201);
  const { id, requestId } = JSON.parse(created.text);
  assert.equal(requestId, `call-${stream}`);
  shim.request({ path: `/notes/${id}` });
  assert.deepEqual(JSON.parse((await shim.answer()).text), { text: 'oil' });
  shim.request({ path: '/notes/none' });
  assert.equal((await shim.answer()).head.status, 404);
});

test('a queue consumer with partial failures', async (t) => {
  const shim = await start(t, 'sqs-batch');
  shim.invoke({ Records: [{ messageId: 'a', body: '{}' }, { messageId: 'b', body: '{"bad":true}' }, { messageId: 'c', body: 'x' }] });
  const { text, logs } = await shim.answer();
  assert.deepEqual(JSON.parse(text), { batchItemFailures: [{ itemIdentifier: 'b' }, { itemIdentifier: 'c' }] });
  assert.equal(logs[0].text, 'failed b cannot process b\n');
});

test('a compressed reply', async (t) => {
  const shim = await start(t, 'gzip');
  shim.request({ method: 'POST', headers: { 'content-type': ['text/plain'] } }, 'tide '.repeat(1000));
  const { head, body } = await shim.answer();
  assert.deepEqual(head.headers['content-encoding'], ['gzip']);
  assert.equal(gunzipSync(body).toString(), 'tide '.repeat(1000));
});

test('files, streams and digests', async (t) => {
  const shim = await start(t, 'tmpfile');
  assert.deepEqual(await shim.call({ text: 'abc', times: 100_000 }),
    { size: 300_000, sha256: createHash('sha256').update('abc'.repeat(100_000)).digest('hex') });
});

test('context.succeed and context.fail', async (t) => {
  const shim = await start(t, 'legacy');
  assert.deepEqual(await shim.call({}), { ok: true, fn: 'tester' });
  await assert.rejects(shim.call({ fail: true }), { message: 'asked to fail', kind: 'handler' });
});

test('a thread, a server and a client', async (t) => {
  const shim = await start(t, 'worker');
  assert.equal(await shim.call({ n: 1000 }), 'sum 500500');
});

test('an emitter that calls back', async (t) => {
  const shim = await start(t, 'alexa');
  assert.equal((await shim.call({ request: { type: 'LaunchRequest' } })).response.text, 'Welcome');
  assert.equal((await shim.call({ request: { type: 'IntentRequest', intent: { name: 'Tide' } } })).response.text, 'High');
  await assert.rejects(shim.call({ request: { type: 'IntentRequest', intent: { name: 'x' } } }), { type: 'RangeError' });
});

test('garbage is collected in time for a small memory', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `import fs from 'node:fs';
    const peak = () => Number(/VmHWM:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    export const handler = () => {
      const before = peak();
      const alive = [];
      for (let i = 0; i < 1500; i++) {
        const part = [];
        for (let j = 0; j < 1200; j++) part.push({ a: i, b: [j, j + 1], c: 'k' + j });
        alive.push(part);
        if (alive.length > 120) alive.shift();
      }
      return peak() - before;
    }` });
  const grown = await shim.call(); // about 20 MB are alive at any time
  assert.ok(grown < 120, `the process grew by ${grown} MB`);
});

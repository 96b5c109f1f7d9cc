// Handlers in every form: how they are found, called and answered.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Shim, Type, answerOf, folderOf } from './harness.mjs';

test('the shim says hello first', async (t) => {
  const { hello } = await Shim.start(t);
  assert.equal(hello.type, Type.hello);
  assert.equal(hello.stream, 0);
  assert.deepEqual(hello.head, {
    protocol: 1, runtime: `nodejs${process.versions.node.split('.')[0]}`, version: process.versions.node, features: ['stream', 'concurrency'],
  });
});

test('ready tells the time of the import and the shape', async (t) => {
  for (const [source, shape] of [
    ['export function handler() {}', 'sync'],
    ['export async function handler() {}', 'async'],
    ['export function* handler() {}', 'generator'],
    ['export async function* handler() {}', 'async_generator'],
  ]) {
    const shim = await Shim.of(t, { 'index.mjs': source });
    const ready = await shim.next();
    assert.equal(ready.type, Type.ready);
    assert.equal(ready.head.shape, shape);
    assert.ok(ready.head.import_us > 0);
  }
});

const echo = 'async (event) => ({ got: event })';
for (const [what, files, handler] of [
  ['an ES module', { 'index.mjs': `export const handler = ${echo}` }, 'index.handler'],
  ['a CommonJS module', { 'index.cjs': `exports.handler = ${echo}` }, 'index.handler'],
  ['a .js file without package.json, CommonJS', { 'index.js': `exports.handler = ${echo}` }, 'index.handler'],
  ['module.exports with a handler', { 'index.js': `module.exports = { handler: ${echo} }` }, 'index.handler'],
  ['module.exports that is made at run time', { 'index.js': `module.exports = Object.assign({}, { ["hand" + "ler"]: ${echo} })` }, 'index.handler'],
  ['a .js file of type module', { 'package.json': '{"type":"module"}', 'index.js': `export const handler = ${echo}` }, 'index.handler'],
  ['a .js file of type commonjs', { 'package.json': '{"type":"commonjs"}', 'index.js': `exports.handler = ${echo}` }, 'index.handler'],
  ['a folder of another type', { 'package.json': '{"type":"commonjs"}', 'm/package.json': '{"type":"module"}', 'm/index.js': `export const handler = ${echo}` }, 'm/index.handler'],
  ['the default export', { 'index.mjs': `export default ${echo}` }, 'index.default'],
  ['module.exports as a function', { 'index.js': `module.exports = ${echo}` }, 'index.default'],
  ['a default export that is an object', { 'index.mjs': `export default { handler: ${echo} }` }, 'index.handler'],
  ['a nested export', { 'index.mjs': `export const api = { v1: { call: ${echo} } }` }, 'index.api.v1.call'],
  ['a module in a folder, by slash', { 'src/fn/main.mjs': `export const go = ${echo}` }, 'src/fn/main.go'],
  ['a module in a folder, by dots', { 'pkg/mod.mjs': `export const fn = ${echo}` }, 'pkg.mod.fn'],
  ['a folder with an index', { 'pkg/index.js': `exports.fn = ${echo}` }, 'pkg.fn'],
  ['a file with a dot in its name', { 'my.func.cjs': `exports.fn = ${echo}` }, 'my.func.fn'],
  ['a method', { 'index.js': `class A { x = 'm'; async go(e) { return { got: e, x: this.x } } } exports.a = new A()` }, 'index.a.go'],
  ['a module that awaits at the top', { 'index.mjs': `const f = await Promise.resolve(${echo}); export { f as handler }` }, 'index.handler'],
  ['a relative import and a package', {
    'index.mjs': "import { f } from './lib/f.mjs'; import dep from 'dep'; export const handler = (e) => f(e, dep)",
    'lib/f.mjs': 'export const f = (e, dep) => ({ got: e, dep })',
    'node_modules/dep/package.json': '{"main":"d.js"}', 'node_modules/dep/d.js': 'module.exports = "dep"',
  }, 'index.handler'],
]) {
  test(`a handler is found: ${what}`, async (t) => {
    const shim = await Shim.of(t, files, handler);
    assert.deepEqual((await shim.call({ a: 1 })).got, { a: 1 });
  });
}

const calledBack = [
  ['a callback', 'exports.handler = (event, context, callback) => setTimeout(() => callback(null, { ok: event.n }), 1)'],
  ['a callback at once', 'exports.handler = (event, context, callback) => { callback(null, { ok: event.n }) }'],
  ['context.succeed', 'exports.handler = function (event, context) { setTimeout(() => context.succeed({ ok: event.n }), 1) }'],
  ['context.done', 'exports.handler = (event, context) => { context.done(null, { ok: event.n }) }'],
  ['an async function with three parameters', 'exports.handler = async (event, context, callback) => ({ ok: event.n })'],
  ['a thenable', 'exports.handler = (event) => ({ then(f) { setImmediate(f, { ok: event.n }) } })'],
];
for (const [what, source] of calledBack) {
  test(`a handler answers by ${what}`, async (t) => {
    const shim = await Shim.of(t, { 'index.js': source });
    assert.deepEqual(await shim.call({ n: 1 }), { ok: 1 });
    assert.deepEqual(await shim.call({ n: 2 }), { ok: 2 });
  });
}

test('a callback with an error is the error of the function', async (t) => {
  const { error } = await answerOf(t, 'exports.handler = (e, c, cb) => cb(new TypeError("bad"))', { file: 'index.js' });
  assert.equal(error.kind, 'handler');
  assert.equal(error.type, 'TypeError');
});

test('a handler that could call back and has nothing left to do replies null', async (t) => {
  const shim = await Shim.of(t, { 'index.js': 'let n = 0; exports.handler = (e, c, callback) => { setTimeout(() => n++, 5) }; exports.n = () => n' });
  assert.equal(await shim.call({}), null);
  assert.equal(await shim.call({}), null);
});

test('a promise that can never settle is an error at once', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export const handler = (e) => e ? 1 : new Promise(() => {})' });
  shim.invoke(null);
  const { error } = await shim.answer();
  assert.equal(error.type, 'NeverSettled');
  assert.equal(await shim.call(5), 1);
});

test('a second answer is ignored', async (t) => {
  const shim = await Shim.of(t, { 'index.js': 'exports.handler = (e, c, cb) => { cb(null, 1); cb(null, 2); cb(new Error("3")); return 4 }' });
  assert.equal(await shim.call({}), 1);
  assert.equal(await shim.call({}), 1);
});

test('invokes that come with the load wait for it', async (t) => {
  const shim = await Shim.start(t);
  shim.load(folderOf(t, { 'index.mjs': 'await new Promise((r) => setTimeout(r, 20)); let n = 0; export const handler = () => ++n' }), 'index.handler');
  shim.invoke();
  shim.invoke();
  assert.equal((await shim.next()).type, Type.ready);
  assert.equal((await shim.answer()).text, '1');
  assert.equal((await shim.answer()).text, '2');
});

test('the code may come as a tar', async (t) => {
  const { execFileSync } = await import('node:child_process');
  const name = `${'long/'.repeat(30)}index.mjs`;
  const source = folderOf(t, { [name]: "import { x } from './x.mjs'; export const handler = () => x", [name.replace('index', 'x')]: 'export const x = 42' });
  const code = folderOf(t, {});
  for (const format of ['ustar', 'gnu', 'pax']) {
    const body = execFileSync('tar', [`--format=${format}`, '-C', source, '-cf', '-', '.'], { maxBuffer: 1 << 24 });
    const shim = await Shim.start(t);
    shim.load(`${code}/${format}`, `${name.replace('index.mjs', '')}index.handler`, { body });
    assert.equal(await shim.call(), 42);
  }
});

test('a tar that leads out of the folder is refused', async (t) => {
  const { execFileSync } = await import('node:child_process');
  const folder = folderOf(t, { 'a/index.mjs': 'export const handler = 1', 'evil.mjs': '' });
  const body = execFileSync('tar', ['-P', '-C', `${folder}/a`, '-cf', '-', 'index.mjs', '../evil.mjs'], { maxBuffer: 1 << 24 });
  const shim = await Shim.start(t);
  shim.load(`${folder}/b`, 'index.handler', { body });
  const { error, stream } = await shim.answer();
  assert.equal(stream, 0);
  assert.equal(error.type, 'BadBundle');
});

test('the environment is the function\'s', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'const early = process.env.K; export const handler = () => ({ ...process.env, early, cwd: process.cwd() })' },
    'index.handler', { env: { K: 'V', HEARTH_FUNCTION: 'x' } });
  const env = await shim.call();
  const { HEARTH_FUNCTION, HEARTH_VERSION, HEARTH_RUNTIME, AWS_LAMBDA_FUNCTION_NAME, AWS_LAMBDA_FUNCTION_VERSION,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE, _HANDLER, LAMBDA_TASK_ROOT, HOME, TMPDIR, LANG, TZ, PATH, K, early, cwd, REHEARSAL } = env;
  assert.deepEqual(
    { HEARTH_FUNCTION, HEARTH_VERSION, HEARTH_RUNTIME, AWS_LAMBDA_FUNCTION_NAME, AWS_LAMBDA_FUNCTION_VERSION,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE, _HANDLER, HOME, TMPDIR, LANG, TZ, PATH, K, early, REHEARSAL },
    { HEARTH_FUNCTION: 'tester', HEARTH_VERSION: '7', HEARTH_RUNTIME: shim.hello.head.runtime, AWS_LAMBDA_FUNCTION_NAME: 'tester', AWS_LAMBDA_FUNCTION_VERSION: '7',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128', _HANDLER: 'index.handler', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8', TZ: 'UTC',
      PATH: '/usr/local/bin:/usr/bin:/bin', K: 'V', early: 'V', REHEARSAL: undefined });
  assert.equal(cwd, LAMBDA_TASK_ROOT);
});

test('the context tells of the function and the call', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `export const handler = (e, c) => ({ ...c, left: c.getRemainingTimeInMillis(), aborted: c.signal.aborted,
    functions: [c.done, c.succeed, c.fail].every((f) => typeof f === 'function') })` });
  shim.invoke(null, { trace: '00-aa-bb-01' });
  const got = JSON.parse((await shim.answer()).text);
  assert.ok(got.left > 5000 && got.left <= 10_000, `${got.left}`);
  delete got.left;
  delete got.deadlineMs;
  assert.deepEqual(got, {
    functionName: 'tester', functionVersion: '7', memoryLimitInMB: '128', awsRequestId: 'call-1', invokedFunctionArn: 'arn:hearth:lambda:local:000000000000:function:tester:7',
    logGroupName: '/hearth/tester', logStreamName: '7', callbackWaitsForEmptyEventLoop: true, trace: '00-aa-bb-01', aborted: false, functions: true,
  });
});

test('what a function keeps is there in the next call', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'let n = 0; export const handler = () => ++n' });
  for (const n of [1, 2, 3]) assert.equal(await shim.call(), n);
});

test('several invocations run at once', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `let open = 0, waiting = [];
    export const handler = async (n) => {
      console.log('in', n);
      if (++open === 3) waiting.forEach((f) => f()); else await new Promise((f) => waiting.push(f));
      console.log('out', n);
      return n * 10;
    }` }, 'index.handler', { concurrency: 3 });
  for (const n of [1, 2, 3]) shim.invoke(n);
  const logs = [];
  for (let i = 0; i < 3; i++) {
    const answer = await shim.answer();
    assert.equal(answer.text, String(answer.stream * 10));
    logs.push(...answer.logs);
  }
  for (const log of logs) assert.match(log.text, new RegExp(`^(in|out) ${log.stream}\n$`));
  assert.equal(logs.length, 6);
});

test('cancel aborts the signal, and the answer is "cancelled"', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `export const handler = (e, { signal }) => new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 60_000);
    signal.addEventListener('abort', () => { clearTimeout(timer); reject(new Error('stopped')) });
    console.log('waiting');
  })` });
  const stream = shim.invoke();
  assert.equal((await shim.next()).type, Type.ready);
  assert.equal((await shim.next()).type, Type.log);
  shim.send(Type.cancel, 0, stream, { reason: 'timeout' });
  const { error } = await shim.answer();
  assert.equal(error.kind, 'cancelled');
  assert.equal(error.type, 'Cancelled');
});

test('cancel of a handler that finishes all the same gives its result', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `export const handler = (e, { signal }) => new Promise((resolve) => {
    signal.addEventListener('abort', () => setImmediate(resolve, 'done'));
    const keep = setInterval(() => {}, 1000); signal.addEventListener('abort', () => clearInterval(keep));
    console.log('waiting');
  })` });
  const stream = shim.invoke();
  await shim.next();
  await shim.next();
  shim.send(Type.cancel, 0, stream, { reason: 'disconnect' });
  assert.equal((await shim.answer()).text, '"done"');
  shim.send(Type.cancel, 0, stream, { reason: 'late' });
  shim.send(Type.ping, 0, 0, undefined, Buffer.from('still there'));
  assert.equal((await shim.next()).body.toString(), 'still there');
});

test('ping is answered at any time', async (t) => {
  const shim = await Shim.start(t);
  shim.send(Type.ping, 0, 0, undefined, Buffer.from('p'));
  const pong = await shim.next();
  assert.equal(pong.type, Type.pong);
  assert.equal(pong.body.toString(), 'p');
});

test('the shim ends when the wire does', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'setInterval(() => {}, 1000); export const handler = () => 1' });
  assert.equal(await shim.call(), 1);
  shim.wire.end();
  assert.deepEqual(await shim.exited, { code: 0, signal: null });
});

for (const [what, speak] of [
  ['an invoke before load', (shim) => shim.invoke(1)],
  ['a second load', (shim) => { shim.load('/nowhere', 'a.b'); shim.load('/nowhere', 'a.b'); }],
  ['a frame that only shims send', (shim) => shim.send(Type.pong + 1 - Type.pong, 0, 0, {})],
  ['garbage', (shim) => shim.wire.write(Buffer.alloc(64, 0xff))],
]) {
  test(`the wire ends after ${what}`, async (t) => {
    const shim = await Shim.start(t);
    speak(shim);
    assert.equal((await shim.exited).code, 76);
    assert.match(shim.stderr, /^hearth: /);
  });
}

test('a function that spoils the globals spoils only itself', async (t) => {
  const shim = await Shim.of(t, { 'index.js': `
    exports.handler = async (event) => ({ statusCode: 200, body: 'fine', event });
    JSON.stringify = JSON.parse = () => { throw new Error('spoiled') };
    Promise.prototype.then = () => { throw new Error('spoiled') };
    Buffer.from = Buffer.alloc = Buffer.concat = Buffer.byteLength = () => { throw new Error('spoiled') };
    Date.now = () => { throw new Error('spoiled') };
    require('fs').writeSync = require('fs').write = () => { throw new Error('spoiled') };
    Object.prototype.toString = Array.isArray = () => { throw new Error('spoiled') };
    process.hrtime.bigint = () => { throw new Error('spoiled') };
    console.log = console.error = () => {};` });
  assert.equal((await shim.call({ a: 1 })).event.a, 1);
  shim.request({ headers: { 'content-type': ['application/json'] } }, '{}');
  assert.equal((await shim.answer()).text, 'fine');
});

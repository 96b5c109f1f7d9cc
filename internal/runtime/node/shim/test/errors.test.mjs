// Every way for a function to go wrong has its own clear error; what it prints
// is attributed.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import test from 'node:test';
import { fileURLToPath } from 'node:url';
import { Shim, answerOf, folderOf } from './harness.mjs';

test('an exception has type, message and the function\'s own trace', async (t) => {
  const { error } = await answerOf(t, `
class PaymentError extends Error { get name() { return 'PaymentError' } }
function deep() { throw new PaymentError('no money', { cause: new TypeError('empty') }) }
export const handler = async () => { await null; deep() }`);
  assert.equal(error.kind, 'handler');
  assert.equal(error.type, 'PaymentError');
  assert.equal(error.message, 'no money');
  assert.match(error.trace, /no money\n\s+at deep \(\/.*index\.mjs:3:\d+\)\n\s+at (async )?(Module\.)?handler/);
  assert.match(error.trace, /Caused by: TypeError: empty/);
  assert.doesNotMatch(error.trace, /node:|session\.cjs|runtime\/node\/shim/);
});

test('a trace keeps a function whose path looks like the shim\'s', async () => {
  const { describe } = createRequire(import.meta.url)('../errors.cjs');
  const shim = fileURLToPath(new URL('..', import.meta.url));
  const err = new Error('x');
  err.stack = ['Error: x', `    at f (/code${shim}mod.js:1:1)`, `    at g (${shim}session.cjs:1:1)`, `    at ${shim}a.cjs:1:1`, `    at async ${shim}a.cjs:1:1`,
    `    at async file://${shim}a.mjs:1:1`, '    at node:internal/x:1:1', '    at async node:internal/x:1:1', '    at Timer.run (node:timers:1:1)', '    at h (/code/node/x.js:1:1)'].join('\n');
  assert.equal(describe('handler', err).trace, ['Error: x', `    at f (/code${shim}mod.js:1:1)`, '    at h (/code/node/x.js:1:1)'].join('\n'));
});

for (const [what, thrown, type, message] of [
  ['a string', '"oops"', 'string', 'oops'], ['null', 'null', 'null', 'null'], ['undefined', 'undefined', 'undefined', 'undefined'],
  ['an object', '{ code: 7 }', 'object', '{ code: 7 }'], ['an error without message', 'new RangeError()', 'RangeError', ''],
  ['an error that lies', 'Object.defineProperty(new Error("x"), "message", { get() { throw 1 } })', 'Error', ''],
]) {
  test(`anything can be thrown: ${what}`, async (t) => {
    for (const source of [`export const handler = () => { throw ${thrown} }`, `export const handler = async () => { throw ${thrown} }`]) {
      const { error } = await answerOf(t, source);
      assert.deepEqual([error.kind, error.type, error.message], ['handler', type, message]);
    }
  });
}

test('long texts are cut', async (t) => {
  const { error } = await answerOf(t, `export const handler = () => { const e = new Error('ä'.repeat(20_000)); e.name = 'N'.repeat(1000); e.stack = 'S'.repeat(100_000); throw e }`);
  assert.equal(error.type.length, 256);
  assert.ok(Buffer.byteLength(error.message) <= 16 << 10 && !error.message.includes('\ufffd'));
  assert.equal(error.trace.length, 64 << 10);
});

for (const [what, files, handler, kind, type, message] of [
  ['no such module', { 'other.js': '' }, 'index.handler', 'no_module', 'ModuleNotFound', /index\.js, index\.mjs, index\.cjs/],
  ['no such export', { 'index.mjs': 'export const a = 1, b = 2' }, 'index.handler', 'no_handler', 'HandlerNotFound', /exports a, b/],
  ['an export that is no function', { 'index.mjs': 'export const handler = 5' }, 'index.handler', 'no_handler', 'NotAFunction', /not a function/],
  ['a module that is the function', { 'index.js': 'module.exports = () => 1' }, 'index.handler', 'no_handler', 'HandlerNotFound', /\.default/],
  ['a name without export', { 'index.js': '' }, 'index', 'no_handler', 'BadHandlerName', /FILE\.EXPORT/],
  ['a name that leads out', { 'index.js': '' }, '../x.handler', 'no_handler', 'BadHandlerName', /not a handler/],
  ['an exception at import', { 'index.mjs': 'throw new EvalError("early")' }, 'index.handler', 'import', 'EvalError', /early/],
  ['an exception at require', { 'index.js': 'throw new EvalError("early")' }, 'index.handler', 'import', 'EvalError', /early/],
  ['a syntax error in CommonJS', { 'index.cjs': 'const = 1' }, 'index.handler', 'import', 'SyntaxError', /Unexpected token/],
  ['a syntax error in a module', { 'index.mjs': '\nconst = 1' }, 'index.handler', 'import', 'SyntaxError', /Unexpected token/],
  ['a missing package, CommonJS', { 'index.js': 'require("left-pad")' }, 'index.handler', 'import', 'Error', /Cannot find module 'left-pad'/],
  ['a missing package, module', { 'index.mjs': 'import "left-pad"' }, 'index.handler', 'import', 'Error', /Cannot find package 'left-pad'/],
  ['a package.json that is not JSON', { 'package.json': '{', 'index.js': '' }, 'index.handler', 'import', 'Error|SyntaxError', /package\.json/],
  ['exit at import', { 'index.mjs': 'process.exit(3)' }, 'index.handler', 'exit', 'SystemExit', /process\.exit\(3\)/],
  ['a module that waits for nothing', { 'index.mjs': 'await new Promise(() => {})' }, 'index.handler', 'import', 'NeverLoaded', /never/],
  ['a stray exception at import', { 'index.mjs': 'setTimeout(() => { throw new Error("stray") }); await new Promise((r) => setTimeout(r, 5000))' }, 'index.handler', 'import', 'Error', /stray/],
]) {
  test(`loading fails with its own error: ${what}`, async (t) => {
    const shim = await Shim.of(t, files, handler);
    shim.invoke({});
    const { error, stream } = await shim.answer();
    assert.equal(stream, 0);
    assert.equal(error.kind, kind);
    assert.match(error.type, new RegExp(`^(${type})$`));
    assert.match(error.message, message);
    assert.doesNotMatch(`${error.message}${error.trace}`, /node:internal|runtime\/node\/shim/);
  });
}

test('a syntax error says where', async (t) => {
  for (const file of ['index.js', 'index.mjs']) {
    const shim = await Shim.of(t, { [file]: 'const a = 1;\nconst = 2;\n' });
    const { error } = await shim.answer();
    assert.match(error.trace, new RegExp(`${file.replace('.', '\\.')}:2\\b`), file);
  }
});

for (const [what, source, message] of [
  ['process.exit(0)', 'process.exit(0)', /process\.exit\(0\)/],
  ['process.exit(7) later', 'setTimeout(() => process.exit(7), 1); await new Promise((r) => setTimeout(r, 5000))', /process\.exit\(7\)/],
  ['process.exit() with an exitCode', 'process.exitCode = 4; process.exit()', /process\.exit\(4\)/],
]) {
  test(`leaving is an error: ${what}`, async (t) => {
    const shim = await Shim.of(t, { 'index.mjs': `export const handler = async () => { process.stdout.write('last words'); ${source} }` });
    shim.invoke();
    const { error, logs } = await shim.answer();
    assert.equal(error.kind, 'exit');
    assert.equal(error.type, 'SystemExit');
    assert.match(error.message, message);
    assert.equal(logs[0].text, 'last words\n');
    assert.equal((await shim.exited).code, Number(/\d/.exec(error.message)[0]));
  });
}

for (const [what, source] of [
  ['an exception in a timer', 'setTimeout(() => { throw new RangeError("stray") }); await new Promise((r) => setTimeout(r, 5000))'],
  ['a rejection that nobody handles', 'Promise.reject(new RangeError("stray")); await new Promise((r) => setTimeout(r, 5000))'],
  ['an error event', 'const { EventEmitter } = await import("node:events"); setImmediate(() => new EventEmitter().emit("error", new RangeError("stray"))); await new Promise((r) => setTimeout(r, 5000))'],
]) {
  test(`${what} fails what is in flight and ends the process`, async (t) => {
    const shim = await Shim.of(t, { 'index.mjs': `export const handler = async () => { ${source} }` }, 'index.handler', { concurrency: 2 });
    shim.invoke();
    shim.invoke();
    for (let i = 0; i < 2; i++) {
      const { error } = await shim.answer();
      assert.deepEqual([error.kind, error.type, error.message], ['handler', 'RangeError', 'stray']);
    }
    assert.equal((await shim.exited).code, 1);
  });
}

test('an exception between invocations goes to the log', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export const handler = () => { setTimeout(() => { throw new Error("late") }, 5); return 1 }' });
  assert.equal(await shim.call(), 1);
  const { logs, ended } = await shim.answer();
  assert.ok(ended);
  assert.equal(logs[0].stream, 0);
  assert.match(logs[0].text, /between invocations: Error: late\n\s+at .*index\.mjs/);
});

test('a function with its own handler of stray exceptions keeps running', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': `let seen = 0; process.on('uncaughtException', () => { seen++ });
    export const handler = async () => { setTimeout(() => { throw new Error('x') }); await new Promise((r) => setTimeout(r, 20)); return seen }` });
  assert.equal(await shim.call(), 1);
  assert.equal(await shim.call(), 2);
});

test('console methods are log lines with a level', async (t) => {
  const { logs } = await answerOf(t, `export const handler = () => {
    console.log('l %d', 1, { a: [1] }); console.info('i'); console.debug('d'); console.warn('w'); console.error('e\\nf'); console.trace('t');
    console.group('g'); console.log('inner'); console.groupEnd(); console.table([{ a: 1 }]); console.dir({ x: 1 }); console.assert(false, 'as');
  }`);
  const line = (text) => logs.find((log) => log.text.startsWith(text));
  for (const [text, level, fd] of [['l 1 { a: [ 1 ] }\n', 'INFO', 1], ['i\n', 'INFO', 1], ['d\n', 'DEBUG', 1], ['w\n', 'WARN', 2], ['e\nf\n', 'ERROR', 2],
    ['Trace: t', 'TRACE', 2], ['g\n', 'INFO', 1], ['  inner\n', 'INFO', 1], ['┌', 'INFO', 1], ['{ x: 1 }\n', 'INFO', 1], ['Assertion failed: as\n', 'WARN', 2]]) {
    const log = line(text);
    assert.ok(log, text);
    assert.deepEqual([log.level, log.fd, log.stream], [level, fd, 1], text);
    assert.ok(Math.abs(log.t - Date.now() / 1000) < 60);
  }
});

test('writes to stdout and stderr are whole lines, and the rest comes at the end', async (t) => {
  const { logs } = await answerOf(t, `export const handler = async () => {
    process.stdout.write('a'); process.stdout.write('b\\nc'); process.stderr.write(Buffer.from('err'));
    await new Promise((done) => process.stdout.write('d\\n', done)); process.stdout.write('tail'); process.stdout.end('!'); process.stdout.write('?');
  }`);
  assert.deepEqual(logs.map((log) => [log.fd, log.text]), [[1, 'ab\n'], [1, 'cd\n'], [1, 'tail!?\n'], [2, 'err\n']]);
});

test('output of the import belongs to nobody', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'console.log("top"); export const handler = () => {}' });
  shim.invoke();
  const { logs } = await shim.answer();
  assert.deepEqual(logs.map((log) => [log.stream, log.text]), [[0, 'top\n']]);
});

test('large output is cut into frames of 64 KiB, at lines', async (t) => {
  const { logs } = await answerOf(t, `export const handler = () => { console.log(('x'.repeat(999) + '\\n').repeat(200)); console.log('y'.repeat(200_000)); console.log('end') }`);
  assert.ok(logs.every((log) => Buffer.byteLength(log.text) <= 64 << 10));
  const x = logs.filter((log) => log.text.startsWith('x'));
  assert.equal(x.map((log) => log.text).join('').trimEnd().split('\n').length, 200);
  assert.ok(x.every((log) => log.text.endsWith('\n')));
  assert.equal(logs.filter((log) => log.text.startsWith('y')).length, 1);
  assert.equal(logs.at(-1).text, 'end\n');
});

test('bytes written to the descriptors directly are left to the driver', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'import fs from "node:fs"; export const handler = () => { fs.writeSync(1, "one"); fs.writeSync(2, "two"); return 1 }' });
  assert.equal(await shim.call(), 1);
  shim.wire.end();
  await shim.exited;
  assert.deepEqual([shim.stdout, shim.stderr], ['one', 'two']);
});

test('a flood of output does not grow the process', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export const handler = () => { for (let i = 0; i < 20_000; i++) console.log("x".repeat(1000)); return process.memoryUsage().rss }' });
  shim.invoke();
  const { logs, text } = await shim.answer();
  assert.equal(logs.length, 20_000);
  assert.ok(Number(text) < 160 << 20, text);
});

test('an event that is not JSON is an error', async (t) => {
  const shim = await Shim.of(t, { 'index.mjs': 'export const handler = () => 1' });
  shim.invoke(Buffer.from('{'));
  assert.equal((await shim.answer()).error.type, 'SyntaxError');
});

test('an ES module in a .js file works or says how to mend it', async (t) => {
  const shim = await Shim.of(t, { 'index.js': 'export const handler = () => 1' });
  shim.invoke();
  const { error, text } = await shim.answer();
  if (error) assert.match(error.message, /rename the file to \.mjs/);
  else assert.equal(text, '1');
});

test('a function may print its reply in a tight loop of invocations', async (t) => {
  const shim = await Shim.of(t, folderOf(t, { 'index.mjs': 'export const handler = (n) => { console.log(n); return n }' }));
  for (let n = 0; n < 200; n++) shim.invoke(n);
  for (let n = 0; n < 200; n++) {
    const { text, logs } = await shim.answer();
    assert.equal(text, String(n));
    assert.deepEqual([logs[0].text, logs[0].stream], [`${n}\n`, n + 1]);
  }
});

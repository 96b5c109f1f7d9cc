// The rehearsal: before it says hello, a stem cell goes the whole way of a real
// function with dummy ones, in every form that is common, and forgets them. What
// it compiled and touched on the way, the first real call needn't.
'use strict';

const path = require('node:path');
const { jsonStringify } = require('./primordials.cjs');
const { Decoder, EMPTY, Type, encode, utf8 } = require('./frames.cjs');
const { collect } = require('./memory.cjs');

const STAGE = path.join(__dirname, 'rehearsal');
const ROUNDS = 3;

const HTTP = {
  method: 'POST', path: '/a', raw_path: '/fn/a/a', raw_query: 'a=1&b=2', host: 'localhost:80', scheme: 'http',
  protocol: 'HTTP/1.1', source_ip: '127.0.0.1', route: '$default',
  headers: { 'Content-Type': ['application/json'], Accept: ['*/*'], Cookie: ['a=b'], 'User-Agent': ['x'] },
};

const load = (handler) => ({
  function: 'rehearsal', version: 1, handler, code: STAGE, memory: 128, timeout_ms: 1000, concurrency: 1, env: { REHEARSAL: '1' },
});

/** play serves one dummy function and returns when it gave its last answer. */
function play(serve, handler) {
  return new Promise((resolve) => {
    let left = 2 * ROUNDS;
    const send = (type, flags, stream, head, body) => {
      encode(type, flags, stream, head, body);
      const last = type === Type.error || (type === Type.result && flags === 0) || (type === Type.chunk && flags !== 0);
      if (last && --left === 0) resolve();
    };
    const session = serve({ send, busy() {} });
    const decoder = new Decoder((frame) => session.receive(frame));
    decoder.push(encode(Type.load, 0, 0, load(handler), EMPTY));
    const body = utf8(jsonStringify({ rehearsal: true }));
    for (let n = 1; n <= 2 * ROUNDS; n += 2) {
      decoder.push(encode(Type.invoke, 0, n, { id: 'a', kind: 'json', deadline_ms: 1 }, body));
      decoder.push(encode(Type.invoke, 0, n + 1, { id: 'b', kind: 'http', deadline_ms: 1, http: HTTP }, body));
    }
  });
}

/** rehearse plays every dummy function and leaves the process as it was. */
async function rehearse(serve) {
  const folder = process.cwd();
  const environment = { ...process.env };
  for (const handler of ['plain.handler', 'module.handler', 'module.stream']) await play(serve, handler);
  process.chdir(folder);
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  for (const file of Object.keys(require.cache)) if (file.startsWith(STAGE)) delete require.cache[file];
  collect();
}

module.exports = { rehearse };

// Starts the real shim with a socket on descriptor 3 and speaks the wire to it,
// as the engine does.
import { spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
export const { Decoder, Flag, Type, encode } = require('../frames.cjs');

const SHIM = fileURLToPath(new URL('../shim.cjs', import.meta.url));
export const FIXTURES = fileURLToPath(new URL('./fixtures/', import.meta.url));
const FLAGS = (process.env.HEARTH_NODE_FLAGS ?? '').split(' ').filter(Boolean);
const DEADLINE = 20_000; // of one frame, on a busy machine

const HTTP = {
  method: 'GET', path: '/', raw_path: '/fn/t/', raw_query: '', headers: {}, host: 'localhost:8080', scheme: 'http',
  protocol: 'HTTP/1.1', source_ip: '127.0.0.1', route: '$default',
};

/** folderOf writes files (name to text) into a new folder and returns it. */
export function folderOf(t, files) {
  const folder = mkdtempSync(path.join(tmpdir(), 'hearth-node-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return folder;
}

/** Shim is a running shim. It is ended with the test. */
export class Shim {
  #frames = [];
  #waiting = null;
  #stream = 0;
  closed = false;
  stdout = '';
  stderr = '';

  static async start(t) {
    const shim = new Shim(t);
    shim.hello = await shim.next();
    return shim;
  }

  /** of starts a shim with a function made of files, loaded. */
  static async of(t, files, handler = 'index.handler', load = {}) {
    const shim = await Shim.start(t);
    shim.load(typeof files === 'string' ? files : folderOf(t, files), handler, load);
    return shim;
  }

  constructor(t) {
    this.child = spawn(process.execPath, [...FLAGS, SHIM], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
    this.child.stdout.setEncoding('utf8').on('data', (text) => { this.stdout += text; });
    this.child.stderr.setEncoding('utf8').on('data', (text) => { this.stderr += text; });
    this.wire = this.child.stdio[3];
    const decoder = new Decoder((frame) => this.#arrive({ ...frame, body: Buffer.from(frame.body) }));
    this.wire.on('data', (piece) => decoder.push(piece));
    this.wire.on('close', () => this.#arrive(null));
    this.wire.on('error', () => {});
    this.exited = new Promise((resolve) => this.child.once('close', (code, signal) => resolve({ code, signal })));
    t.after(() => { this.child.kill('SIGKILL'); return this.exited; });
  }

  #arrive(frame) {
    if (frame === null) this.closed = true;
    else this.#frames.push(frame);
    this.#waiting?.();
  }

  /** next is the next frame, or null when the shim ended. */
  async next() {
    const limit = setTimeout(() => this.child.kill('SIGKILL'), DEADLINE);
    try {
      while (this.#frames.length === 0 && !this.closed) await new Promise((resolve) => { this.#waiting = resolve; });
    } finally {
      clearTimeout(limit);
    }
    return this.#frames.shift() ?? null;
  }

  send(type, flags, stream, head, body) { this.wire.write(encode(type, flags, stream, head, body)); }

  load(code, handler, more = {}) {
    const { body, ...load } = more;
    this.send(Type.load, 0, 0, {
      function: 'tester', version: 7, handler, code, memory: 128, timeout_ms: 10_000, concurrency: 1, env: {}, ...load,
    }, body);
  }

  /** invoke sends an event and returns its stream. */
  invoke(event, more = {}) {
    const body = event === undefined ? undefined : Buffer.isBuffer(event) ? event : Buffer.from(JSON.stringify(event));
    this.send(Type.invoke, 0, ++this.#stream, { id: `call-${this.#stream}`, kind: 'json', deadline_ms: Date.now() + 10_000, ...more }, body);
    return this.#stream;
  }

  /** request sends an HTTP event and returns its stream. */
  request(http = {}, body = undefined) {
    return this.invoke(body === undefined ? undefined : Buffer.from(body), { kind: 'http', http: { ...HTTP, ...http } });
  }

  /** answer collects frames up to the last one of an invocation, or of the load. */
  async answer() {
    const logs = [];
    let head;
    let stream;
    const chunks = [];
    for (;;) {
      const frame = await this.next();
      if (frame === null) return { ended: true, logs, head, chunks };
      switch (frame.type) {
        case Type.log:
          logs.push({ ...frame.head, stream: frame.stream, text: frame.body.toString() });
          continue;
        case Type.ready:
          continue;
        case Type.error:
          return { error: frame.head, stream: frame.stream, logs, head, chunks };
        case Type.result:
          ({ head, stream } = frame);
          if (frame.flags === 0) return { head, stream, logs, body: frame.body, text: frame.body.toString(), chunks };
          if (frame.body.length > 0) chunks.push(frame.body.toString());
          continue;
        case Type.chunk:
          if (frame.body.length > 0) chunks.push(frame.body.toString());
          if (frame.flags === Flag.END) return { head, stream, logs, chunks, text: chunks.join('') };
          continue;
        default:
          throw new Error(`frame type ${frame.type} from a shim`);
      }
    }
  }

  /** call invokes and gives the JSON of the result. */
  async call(event) {
    this.invoke(event);
    const answer = await this.answer();
    if (answer.error) throw Object.assign(new Error(answer.error.message), answer.error);
    return JSON.parse(answer.text);
  }
}

/** answerOf loads a one-file function, calls it once and returns the answer. */
export async function answerOf(t, source, { file = 'index.mjs', handler = 'index.handler', event, http, load } = {}) {
  const shim = await Shim.of(t, { [file]: source }, handler, load);
  if (http) shim.request(http, http.body);
  else shim.invoke(event);
  return shim.answer();
}

// Output: console and process.stdout become log frames of the invocation that
// wrote them. Bytes that go to descriptors 1 and 2 directly are not seen here.
'use strict';

const { Writable } = require('node:stream');
const { bufferFrom, now, textOf } = require('./primordials.cjs');
const { MAX_CHUNK, utf8 } = require('./frames.cjs');

const LEVELS = { trace: 'TRACE', debug: 'DEBUG', log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR' };
const DEFAULT_LEVEL = { 1: 'INFO', 2: 'ERROR' };

/** pieces cuts whole lines into bodies of at most 64 KiB; a longer line loses its tail. */
function pieces(text) {
  const bytes = utf8(text);
  if (bytes.length <= MAX_CHUNK) return [bytes];
  const out = [];
  for (let at = 0; at < bytes.length; ) {
    let end = Math.min(at + MAX_CHUNK, bytes.length);
    if (end < bytes.length) {
      const newline = bytes.lastIndexOf(10, end - 1);
      if (newline >= at) end = newline + 1;
    }
    const whole = end === bytes.length || bytes[end - 1] === 10;
    if (whole) {
      out.push(bytes.subarray(at, end));
      at = end;
      continue;
    }
    while ((bytes[end] & 0xc0) === 0x80) end--; // not inside a character
    out.push(bytes.subarray(at, end));
    const next = bytes.indexOf(10, end);
    at = next < 0 ? bytes.length : next + 1;
  }
  return out;
}

/** Tail keeps what was written without a newline yet, per descriptor. */
class Tail {
  1 = '';
  2 = '';
}

/** Output catches what the function prints and hands it to `send(owner, head, body)`. */
class Output {
  #send;
  #owner;
  #level = null; // set while a console method runs
  #nobody = new Tail();

  /** `owner()` returns the invocation that runs now, an object with a `tail`, or null. */
  constructor(send, owner) {
    this.#send = send;
    this.#owner = owner;
  }

  /** install replaces process.stdout, process.stderr and the console's methods for good. */
  install() {
    for (const fd of [1, 2]) this.#replaceStream(fd);
    for (const [method, level] of Object.entries(LEVELS)) this.#wrap(method, level);
  }

  /** flush sends the unfinished lines of an invocation, or those of nobody. */
  flush(owner) {
    const tail = owner === null ? this.#nobody : owner.tail;
    for (const fd of [1, 2]) {
      if (tail[fd] === '') continue;
      const text = tail[fd];
      tail[fd] = '';
      this.#emit(owner, fd, DEFAULT_LEVEL[fd], text + '\n');
    }
  }

  /** say sends a line of the shim's own, as the function's standard error. */
  say(owner, level, text) { this.#emit(owner, 2, level, text + '\n'); }

  #write(fd, text) {
    const owner = this.#owner();
    const tail = owner === null ? this.#nobody : owner.tail;
    if (tail[fd] !== '') {
      text = tail[fd] + text;
      tail[fd] = '';
    }
    const end = text.lastIndexOf('\n') + 1;
    if (end < text.length) tail[fd] = text.slice(end);
    if (tail[fd].length > MAX_CHUNK) {
      this.#emit(owner, fd, DEFAULT_LEVEL[fd], tail[fd]);
      tail[fd] = '';
    }
    if (end > 0) this.#emit(owner, fd, this.#level ?? DEFAULT_LEVEL[fd], text.slice(0, end));
  }

  #emit(owner, fd, level, text) {
    const t = now() / 1000;
    for (const body of pieces(text)) this.#send(owner, { fd, level, t }, body);
  }

  #replaceStream(fd) {
    const stream = new Writable({
      decodeStrings: false,
      write: (chunk, encoding, done) => {
        this.#write(fd, typeof chunk === 'string' ? chunk : textOf(bufferFrom(chunk), 'utf8'));
        done();
      },
    });
    stream.fd = fd;
    stream._isStdio = true;
    stream.destroy = () => stream; // process.stdout can't be closed
    stream.end = (chunk, encoding, done) => {
      if (chunk != null && typeof chunk !== 'function') stream.write(chunk);
      for (const f of [chunk, encoding, done]) if (typeof f === 'function') process.nextTick(f);
      return stream;
    };
    const name = fd === 1 ? 'stdout' : 'stderr';
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
  }

  #wrap(method, level) {
    const plain = console[method];
    console[method] = (...args) => {
      const outer = this.#level;
      this.#level ??= level; // console.trace calls console.error
      try {
        plain.apply(console, args);
      } finally {
        this.#level = outer;
      }
    };
  }
}

module.exports = { Output, Tail };

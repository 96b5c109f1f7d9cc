// Frames: what travels on the wire (see protocol.md beside the Go half of it).
// Encoding, decoding and the blocking writer; not what the frames mean.
'use strict';

const { arrayIsArray, bufferAlloc, bufferFrom, byteLength, jsonParse, jsonStringify, textOf, wait, writeSync } =
  require('./primordials.cjs');

const HEADER = 16;
const MAX_HEAD = 1 << 20;
const MAX_BODY = 16 << 20;
const MAX_CHUNK = 64 << 10; // of a log frame too
const MAX_PING = 64;

const Type = Object.freeze({
  hello: 1, load: 2, ready: 3, invoke: 4, result: 5, chunk: 6, credit: 7, error: 8, log: 9, cancel: 10, ping: 11, pong: 12,
});
const Flag = Object.freeze({ END: 1, STREAM: 2 });

// What is legal of each type: its flags, its longest body, and whether it
// belongs to the sandbox (stream 0), to an invocation, or to either.
const [SANDBOX, INVOCATION, EITHER] = [0, 1, 2];
const RULES = Object.freeze({
  1: { flags: 0, body: 0, on: SANDBOX },
  2: { flags: 0, body: MAX_BODY, on: SANDBOX },
  3: { flags: 0, body: 0, on: SANDBOX },
  4: { flags: 0, body: MAX_BODY, on: INVOCATION },
  5: { flags: Flag.STREAM, body: MAX_BODY, on: INVOCATION },
  6: { flags: Flag.END, body: MAX_CHUNK, on: INVOCATION },
  7: { flags: 0, body: 0, on: INVOCATION },
  8: { flags: 0, body: 0, on: EITHER },
  9: { flags: 0, body: MAX_CHUNK, on: EITHER },
  10: { flags: 0, body: 0, on: INVOCATION },
  11: { flags: 0, body: MAX_PING, on: SANDBOX },
  12: { flags: 0, body: MAX_PING, on: SANDBOX },
});

const EMPTY = bufferAlloc(0);

/** A frame that breaks the protocol: the connection can't go on. */
class ProtocolError extends Error {
  get name() { return 'ProtocolError'; }
}

/**
 * encode returns the frame's bytes. `head` is an object or undefined, `body` a
 * Uint8Array. A large body is copied once; that is cheaper than a second write.
 */
function encode(type, flags, stream, head, body = EMPTY) {
  const text = head === undefined ? '' : jsonStringify(head);
  const headLength = byteLength(text);
  if (headLength > MAX_HEAD) throw new ProtocolError(`the head is ${headLength} bytes, over 1 MiB`);
  const frame = bufferAlloc(HEADER + headLength + body.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt8(flags, 1);
  frame.writeUInt16BE(0, 2);
  frame.writeUInt32BE(stream, 4);
  frame.writeUInt32BE(headLength, 8);
  frame.writeUInt32BE(body.length, 12);
  frame.write(text, HEADER, 'utf8');
  frame.set(body, HEADER + headLength);
  return frame;
}

/** parseHeader reads and checks the 16 bytes at `at`. */
function parseHeader(bytes, at = 0) {
  const type = bytes[at];
  const flags = bytes[at + 1];
  const header = {
    type,
    flags,
    stream: bytes.readUInt32BE(at + 4),
    headLength: bytes.readUInt32BE(at + 8),
    bodyLength: bytes.readUInt32BE(at + 12),
  };
  const rule = RULES[type];
  if (rule === undefined) throw new ProtocolError(`unknown frame type ${type}`);
  if ((flags & ~rule.flags) !== 0) throw new ProtocolError(`frame type ${type} can't carry flags ${flags}`);
  if (bytes.readUInt16BE(at + 2) !== 0) throw new ProtocolError('bytes 2 and 3 of a header are not zero');
  if (header.headLength > MAX_HEAD) throw new ProtocolError(`the head is ${header.headLength} bytes, over 1 MiB`);
  if (header.bodyLength > rule.body) throw new ProtocolError(`the body of frame type ${type} is ${header.bodyLength} bytes`);
  if (rule.on !== EITHER && (header.stream === 0) !== (rule.on === SANDBOX)) {
    throw new ProtocolError(`frame type ${type} on stream ${header.stream}`);
  }
  return header;
}

function parseHead(bytes) {
  if (bytes.length === 0) return {};
  let head;
  try {
    head = jsonParse(textOf(bytes, 'utf8'));
  } catch {
    throw new ProtocolError('a head is not JSON');
  }
  if (head === null || typeof head !== 'object' || arrayIsArray(head)) throw new ProtocolError('a head is not an object');
  return head;
}

/**
 * Decoder turns the pieces that a stream delivers into frames. Pieces may be
 * reused by the caller afterwards: bodies are copies.
 */
class Decoder {
  #onFrame;
  #header = bufferAlloc(HEADER);
  #have = 0; // bytes of the header, or of the payload, so far
  #frame = null; // the header being filled with its payload
  #payload = EMPTY;

  constructor(onFrame) { this.#onFrame = onFrame; }

  /** partial reports whether the stream ended inside a frame. */
  get partial() { return this.#frame !== null || this.#have > 0; }

  push(piece) {
    let at = 0;
    while (at < piece.length) {
      if (this.#frame === null) {
        at += this.#fill(this.#header, piece, at);
        if (this.#have < HEADER) return;
        this.#frame = parseHeader(this.#header);
        this.#payload = bufferAlloc(this.#frame.headLength + this.#frame.bodyLength);
        this.#have = 0;
      }
      at += this.#fill(this.#payload, piece, at);
      if (this.#have === this.#payload.length) this.#finish();
    }
  }

  #fill(target, piece, at) {
    const n = Math.min(target.length - this.#have, piece.length - at);
    if (n > 0) target.set(piece.subarray(at, at + n), this.#have);
    this.#have += n;
    return n;
  }

  #finish() {
    const { type, flags, stream, headLength } = this.#frame;
    const payload = this.#payload;
    this.#frame = null;
    this.#payload = EMPTY;
    this.#have = 0;
    this.#onFrame({ type, flags, stream, head: parseHead(payload.subarray(0, headLength)), body: payload.subarray(headLength) });
  }
}

const gate = new Int32Array(new SharedArrayBuffer(4));

/**
 * writeAll writes to a descriptor that doesn't block, waiting where it is full:
 * the engine always reads, and what a function printed before it crashed is out.
 */
function writeAll(fd, bytes) {
  for (let at = 0, pause = 0.02; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
      pause = 0.02;
    } catch (err) {
      if (err.code !== 'EAGAIN' && err.code !== 'EINTR') throw err;
      wait(gate, 0, 0, pause); // milliseconds
      pause = Math.min(pause * 2, 2);
    }
  }
}

/** utf8 returns a string's bytes. */
const utf8 = (text) => bufferFrom(text, 'utf8');

module.exports = { Decoder, EMPTY, Flag, HEADER, MAX_BODY, MAX_CHUNK, ProtocolError, Type, encode, parseHeader, utf8, writeAll };

// One function's life in this process: it is loaded once, then invoked. The
// session answers frames; what is under it (descriptor, console, process) is
// the business of shim.cjs.
'use strict';

const { AsyncLocalStorage, hrtime, promiseThen } = require('./primordials.cjs');
const { EMPTY, Flag, MAX_BODY, MAX_CHUNK, ProtocolError, Type } = require('./frames.cjs');
const { Failure, describe } = require('./errors.cjs');
const { Context } = require('./context.cjs');
const { Tail } = require('./output.cjs');
const { find } = require('./handler.cjs');
const { httpEvent, jsonEvent } = require('./event.cjs');
const { itemBytes, read, streamHead } = require('./reply.cjs');
const { unpack } = require('./tar.cjs');

const FIRST_CREDIT = 256 << 10;
const SETTLES_LATER = /\.\s*(?:done|succeed|fail)\b/;

const sourceOf = Function.prototype.call.bind(Function.prototype.toString);
const isThenable = (value) => value instanceof Promise || (value !== null && typeof value === 'object' && typeof value.then === 'function');

/** Invocation is one call in flight. */
class Invocation {
  tail = new Tail(); // unfinished lines, see Output
  credit = FIRST_CREDIT;
  wake = null; // resolves the wait for credit
  cancelled = false;
  replied = false; // its handler gave a value
  answered = false; // the last frame is sent
  byCallback = false; // its handler answers by calling back
  began = hrtime();
  #aborter = null;

  constructor(stream, head) {
    this.stream = stream;
    this.head = head;
  }

  get signal() {
    this.#aborter ??= new AbortController();
    if (this.cancelled) this.#aborter.abort();
    return this.#aborter.signal;
  }

  cancel() {
    this.cancelled = true;
    this.#aborter?.abort();
    this.wake?.();
  }

  get elapsedUs() { return Number((hrtime() - this.began) / 1000n); }
}

/**
 * Session handles the frames of one function. `port` is what it needs of its
 * surroundings: send(type, flags, stream, head, body), flush(invocation) for its
 * unfinished lines, enter(load) to set up the process, busy(bool) when the event
 * loop may run empty, and fail(error) for a broken protocol.
 */
class Session {
  #port;
  #load = null;
  #handler = null;
  #failed = false; // to load
  #waiting = []; // invoke frames that came before ready
  #flying = new Map();
  #holds = 0; // invocations that wait for the engine
  #alone = null; // the one invocation, where there is one at a time
  #scope = null; // tells invocations apart, where there are many

  constructor(port) { this.#port = port; }

  /** state is "stem", "loading", "ready" or "failed". */
  get state() {
    if (this.#load === null) return 'stem';
    if (this.#failed) return 'failed';
    return this.#handler === null ? 'loading' : 'ready';
  }

  /** current is the invocation on whose behalf code runs now, or null. */
  get current() {
    return this.#scope === null ? this.#alone : this.#scope.getStore() ?? null;
  }

  /** flying are the invocations that have no answer yet. */
  get flying() { return [...this.#flying.values()]; }

  receive(frame) {
    switch (frame.type) {
      case Type.load: return this.#onLoad(frame);
      case Type.invoke: return this.#onInvoke(frame);
      case Type.credit: return this.#onCredit(frame);
      case Type.cancel: return this.#flying.get(frame.stream)?.cancel();
      case Type.ping: return this.#port.send(Type.pong, 0, 0, undefined, frame.body);
      case Type.pong: return undefined;
      default: throw new ProtocolError(`frame type ${frame.type} is not for a shim`);
    }
  }

  /** abandon answers everything in flight with an error, or the load that still runs. */
  abandon(head) {
    if (this.state === 'loading') this.#failLoad(head);
    for (const invocation of this.flying) this.#answer(invocation, Type.error, 0, head, EMPTY);
  }

  /**
   * idle is told that the event loop has nothing left to do: what is in flight
   * will never end by itself. Handlers that could have called back get null, as
   * on AWS; a promise that can't settle is an error.
   */
  idle() {
    if (this.state === 'loading') {
      this.abandon(describe('import', new Failure('import', 'NeverLoaded', 'the module awaits something that never happens')));
      return;
    }
    for (const invocation of this.flying) {
      if (invocation.byCallback) this.#settle(invocation, null, null);
      else this.#fail(invocation, new Failure('handler', 'NeverSettled', "the handler's promise never settles: nothing is left that it could wait for"));
    }
  }

  #onLoad({ stream, head, body }) {
    if (this.#load !== null || stream !== 0) throw new ProtocolError('load came twice');
    this.#load = head;
    if (head.concurrency > 1) this.#scope = new AsyncLocalStorage();
    promiseThen(this.#become(head, body), undefined, (err) => this.#failLoad(describe('import', err)));
  }

  async #become(load, bundle) {
    if (bundle.length > 0) unpack(bundle, load.code);
    this.#port.enter(load);
    this.#port.busy(true);
    const handler = await find(load.code, load.handler);
    if (this.#failed) return;
    const { importUs, slow, shape } = handler;
    this.#port.flush(null);
    this.#port.send(Type.ready, 0, 0, { import_us: importUs, slow, shape }, EMPTY);
    this.#handler = handler;
    this.#updateBusy();
    for (const frame of this.#waiting.splice(0)) this.#begin(frame);
  }

  /** failLoad tells why the function can't be served; nothing follows it. */
  #failLoad(head) {
    if (this.#failed) return;
    this.#failed = true;
    this.#waiting.length = 0;
    this.#port.flush(null);
    this.#port.send(Type.error, 0, 0, head, EMPTY);
    this.#updateBusy();
  }

  #onInvoke(frame) {
    if (this.#load === null) throw new ProtocolError('invoke came before load');
    if (frame.stream === 0 || this.#flying.has(frame.stream)) throw new ProtocolError(`invoke on stream ${frame.stream}`);
    if (this.#failed) return;
    if (this.#handler === null) this.#waiting.push(frame);
    else this.#begin(frame);
  }

  #onCredit({ stream, head }) {
    const invocation = this.#flying.get(stream);
    if (invocation === undefined) return;
    if (!Number.isSafeInteger(head.bytes) || head.bytes <= 0) throw new ProtocolError('credit of no bytes');
    invocation.credit += head.bytes;
    invocation.wake?.();
  }

  #begin({ stream, head, body }) {
    const invocation = new Invocation(stream, head);
    this.#flying.set(stream, invocation);
    this.#updateBusy();
    if (this.#scope !== null) {
      this.#scope.run(invocation, () => this.#call(invocation, body));
      return;
    }
    this.#alone = invocation;
    this.#call(invocation, body);
  }

  #call(invocation, body) {
    const { call, owner } = this.#handler;
    const settle = (err, value) => this.#settle(invocation, err, value);
    let value;
    try {
      const { head } = invocation;
      const event = head.kind === 'http' ?
        httpEvent(head.http, body, { apiId: this.#load.function, requestId: head.id }) :
        jsonEvent(body);
      const context = new Context(this.#load, head, invocation, settle);
      value = Reflect.apply(call, owner, [event, context, settle]);
    } catch (err) {
      this.#fail(invocation, err);
      return;
    }
    if (isThenable(value)) {
      invocation.byCallback = call.length >= 3;
      const done = (result) => this.#reply(invocation, result);
      const failed = (err) => this.#reject(invocation, err);
      try {
        if (value instanceof Promise) promiseThen(value, done, failed);
        else value.then(done, failed);
      } catch (err) {
        failed(err);
      }
    } else if (this.#callsBack(call, value)) {
      invocation.byCallback = true;
    } else {
      this.#reply(invocation, value);
    }
  }

  /**
   * callsBack tells whether a handler that returned will answer later. With a
   * callback declared, what it returned doesn't count, as on AWS.
   */
  #callsBack(call, value) {
    return call.length >= 3 ||
      (value === undefined && call.length === 2 && SETTLES_LATER.test(sourceOf(call)));
  }

  #settle(invocation, err, value) {
    if (err === null || err === undefined) {
      this.#reply(invocation, value);
    } else {
      this.#reject(invocation, err);
    }
  }

  #reject(invocation, err) {
    if (invocation.replied) return;
    invocation.replied = true;
    this.#fail(invocation, err);
  }

  #reply(invocation, value) {
    if (invocation.replied) return;
    invocation.replied = true;
    try {
      const { head, body, stream } = read(invocation.head.kind, value);
      if (stream !== undefined) {
        promiseThen(this.#stream(invocation, head, stream), undefined, (err) => this.#fail(invocation, err));
        return;
      }
      if (body.length > MAX_BODY) {
        throw new Failure('reply', 'TooLarge', `the reply is ${body.length} bytes, over the limit of ${MAX_BODY}: stream it`);
      }
      head.handler_us = invocation.elapsedUs;
      this.#answer(invocation, Type.result, 0, head, body);
    } catch (err) {
      this.#fail(invocation, err);
    }
  }

  #fail(invocation, err) {
    const kind = invocation.cancelled ? 'cancelled' : 'handler';
    const head = describe(kind, err);
    if (invocation.cancelled) Object.assign(head, { kind, type: 'Cancelled' });
    this.#answer(invocation, Type.error, 0, head, EMPTY);
  }

  /** answer sends the last frame of an invocation, once, behind what it printed. */
  #answer(invocation, type, flags, head, body) {
    if (invocation.answered) return;
    this.#port.flush(invocation);
    try {
      this.#port.send(type, flags, invocation.stream, head, body);
    } catch (err) {
      if (!(err instanceof ProtocolError)) throw err;
      this.#port.send(Type.error, 0, invocation.stream, { kind: 'reply', type: 'TooLarge', message: err.message, trace: '' }, EMPTY);
    }
    invocation.answered = true;
    this.#flying.delete(invocation.stream);
    if (this.#alone === invocation) this.#alone = null;
    this.#updateBusy();
  }

  async #stream(invocation, head, iterator) {
    try {
      let item = await iterator.next();
      if (invocation.answered) return;
      if (head === null) {
        const opening = streamHead(invocation.head.kind, item);
        head = opening.head;
        if (opening.used) item = null;
      }
      let first = item === null || item.done ? EMPTY : itemBytes(item.value);
      if (first.length > MAX_CHUNK) first = EMPTY;
      else if (item !== null && !item.done) item = null;
      head.handler_us = invocation.elapsedUs;
      this.#port.flush(invocation);
      this.#port.send(Type.result, Flag.STREAM, invocation.stream, head, first);
      for (item ??= await iterator.next(); !item.done; item = await iterator.next()) {
        await this.#sendItem(invocation, itemBytes(item.value));
        if (invocation.answered) return;
      }
      this.#answer(invocation, Type.chunk, Flag.END, undefined, EMPTY);
    } finally {
      await iterator.return?.();
    }
  }

  async #sendItem(invocation, bytes) {
    for (let at = 0; at < bytes.length; ) {
      if (invocation.credit === 0) await this.#credited(invocation);
      if (invocation.cancelled) throw new Failure('cancelled', 'Cancelled', 'the invocation was cancelled');
      if (invocation.answered) return;
      const n = Math.min(bytes.length - at, invocation.credit, MAX_CHUNK);
      invocation.credit -= n;
      this.#port.send(Type.chunk, 0, invocation.stream, undefined, bytes.subarray(at, at + n));
      at += n;
    }
    if (invocation.cancelled) throw new Failure('cancelled', 'Cancelled', 'the invocation was cancelled');
  }

  async #credited(invocation) {
    this.#holds++;
    this.#updateBusy();
    try {
      while (invocation.credit === 0 && !invocation.cancelled) {
        await new Promise((resolve) => { invocation.wake = resolve; });
      }
    } finally {
      invocation.wake = null;
      this.#holds--;
      this.#updateBusy();
    }
  }

  /** updateBusy says whether an empty event loop would be a dead end: only with one at a time, and not while the engine has to act. */
  #updateBusy() { this.#port.busy(this.#scope === null && this.#flying.size > 0 && this.#holds === 0); }
}

module.exports = { Session };

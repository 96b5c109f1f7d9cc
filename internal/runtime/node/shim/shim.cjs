// The shim: what runs in a sandbox before and around a JavaScript function. It
// speaks the wire (internal/wire/protocol.md) on descriptor 3: rehearses, says
// hello, becomes the function that the load frame names, and serves it.
'use strict';

const { Socket } = require('node:net');
const { bufferAlloc, inspect, reallyExit } = require('./primordials.cjs');
const { Decoder, EMPTY, ProtocolError, Type, encode, writeAll } = require('./frames.cjs');
const { describe } = require('./errors.cjs');
const { Output } = require('./output.cjs');
const { Session } = require('./session.cjs');
const { rehearse } = require('./rehearsal.cjs');
const { tune } = require('./memory.cjs');

const WIRE = 3;
const RUNTIME = `nodejs${process.versions.node.split('.', 1)[0]}`;
const READ_SIZE = 64 << 10;

const send = (type, flags, stream, head, body) => writeAll(WIRE, encode(type, flags, stream, head, body));

let session; // the function's; before that, the rehearsal's
let port; // its surroundings
const output = new Output((owner, head, body) => port.send(Type.log, 0, owner?.stream ?? 0, head, body), () => session.current);

/** end leaves at once, with no more code of the function's. */
function end(code) {
  reallyExit(code);
}

/** environment is what a function finds in process.env. */
function environment(load) {
  return {
    PATH: '/usr/local/bin:/usr/bin:/bin',
    HOME: '/tmp',
    TMPDIR: '/tmp',
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...load.env,
    HEARTH_FUNCTION: load.function,
    HEARTH_VERSION: String(load.version),
    HEARTH_RUNTIME: RUNTIME,
    AWS_LAMBDA_FUNCTION_NAME: load.function,
    AWS_LAMBDA_FUNCTION_VERSION: String(load.version),
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(load.memory),
    _HANDLER: load.handler,
    LAMBDA_TASK_ROOT: load.code,
  };
}

/** enter makes the process the function's: environment, folder, memory. */
function enter(load) {
  Object.assign(process.env, environment(load));
  process.chdir(load.code);
  tune(load.memory);
}

/** lastWords answers what is in flight before the process ends; if nothing is, they go to the log. */
function lastWords(head) {
  if (session.state === 'loading' || session.flying.length > 0) {
    output.flush(null);
    session.abandon(head);
  } else {
    output.say(null, 'ERROR', `between invocations: ${head.trace || `${head.type}: ${head.message}`}`);
  }
}

/** guardExit turns process.exit and stray exceptions into answers. */
function guardExit() {
  const exit = process.exit;
  process.exit = (code) => {
    const status = code ?? process.exitCode ?? 0;
    lastWords({ kind: 'exit', type: 'SystemExit', message: `the function called process.exit(${inspect(status)})`, trace: '' });
    return exit.call(process, status);
  };
  const fatal = (event) => (err) => {
    if (process.listenerCount(event) > 1) return; // the function has its own way
    lastWords(describe(session.state === 'loading' ? 'import' : 'handler', err));
    end(1);
  };
  process.on('uncaughtException', fatal('uncaughtException'));
  process.on('unhandledRejection', fatal('unhandledRejection'));
  process.on('beforeExit', () => session.idle());
}

/** open starts to read the wire and returns the socket. */
function open(decoder) {
  const socket = new Socket({
    fd: WIRE,
    onread: {
      buffer: bufferAlloc(READ_SIZE),
      callback: (n, buffer) => {
        try {
          decoder.push(buffer.subarray(0, n));
        } catch (err) {
          if (!(err instanceof ProtocolError)) throw err;
          process._rawDebug(`hearth: ${err.message}`);
          end(76);
        }
        return true;
      },
    },
  });
  socket.on('end', () => end(0));
  socket.on('error', () => end(0));
  return socket;
}

/** serve makes the session that `surroundings` belong to the one that console and process speak to. */
function serve(surroundings) {
  port = { enter, flush: (owner) => output.flush(owner), ...surroundings };
  session = new Session(port);
  return session;
}

async function main() {
  output.install();
  guardExit();
  if (process.env.HEARTH_REHEARSE !== '0') await rehearse(serve);
  let socket;
  serve({ send, busy: (on) => (on ? socket.unref() : socket.ref()) });
  socket = open(new Decoder((frame) => session.receive(frame)));
  socket.resume();
  send(Type.hello, 0, 0, { protocol: 1, runtime: RUNTIME, version: process.versions.node, features: ['stream', 'concurrency'] }, EMPTY);
}

main();

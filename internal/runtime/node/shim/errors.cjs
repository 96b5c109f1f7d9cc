// How an exception of the function is told to the engine: kind, type, message
// and a trace that shows the function's own frames.
'use strict';

const { bufferFrom, inspect, textOf } = require('./primordials.cjs');

const MAX_TYPE = 256;
const MAX_MESSAGE = 16 << 10;
const MAX_TRACE = 64 << 10;
const MAX_CAUSES = 4;

/** Failure is an error that the shim itself found in a function. */
class Failure extends Error {
  constructor(kind, type, message) {
    super(message);
    this.kind = kind;
    this.type = type;
  }
}

/** cut shortens a string to `limit` bytes of UTF-8 without splitting a character. */
function cut(text, limit) {
  if (text.length * 3 <= limit) return text;
  const bytes = bufferFrom(text, 'utf8');
  if (bytes.length <= limit) return text;
  let end = limit;
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return textOf(bytes, 'utf8', 0, end);
}

/** attempt returns what f returns, or `otherwise` if it throws: errors can have getters. */
function attempt(f, otherwise) {
  try {
    const value = f();
    return value === undefined ? otherwise : value;
  } catch {
    return otherwise;
  }
}

function isError(value) {
  return attempt(() => value instanceof Error || (typeof value === 'object' && value !== null && typeof value.stack === 'string'), false);
}

function typeOf(value) {
  if (!isError(value)) return value === null ? 'null' : typeof value;
  return attempt(() => String(value.name || value.constructor.name), 'Error') || 'Error';
}

function messageOf(value) {
  if (!isError(value)) return typeof value === 'string' ? value : attempt(() => inspect(value, { depth: 3 }), '');
  return withoutShim(attempt(() => String(value.message), ''));
}

const SHIM = `${__dirname}/`;
const PLACES = [`(${SHIM}`, `at ${SHIM}`, `async ${SHIM}`, `file://${SHIM}`];

/** ours tells the lines of a trace that are frames of Node or of the shim. */
function ours(line) {
  if (!/^\s+at /.test(line)) return line.startsWith(`- ${SHIM}`); // of a "require stack"
  return /(?:\(|at (?:async )?)node:/.test(line) || PLACES.some((place) => line.includes(place));
}

function withoutShim(text) {
  return text.includes(SHIM) ? text.split('\n').filter((line) => !ours(line)).join('\n') : text;
}

/** cleanTrace drops the frames of Node and the shim, and what builtins are left at the end. */
function cleanTrace(stack) {
  const lines = stack.split('\n').filter((line) => !ours(line)).map((line) => line.replace('file:///', '/'));
  while (lines.length > 1 && /^\s+at .*<anonymous>\)?$/.test(lines[lines.length - 1])) lines.pop();
  return lines.join('\n').trimEnd();
}

function traceOf(value) {
  const parts = [];
  for (let cause = value; parts.length < MAX_CAUSES && isError(cause); cause = attempt(() => cause.cause, null)) {
    const stack = attempt(() => cause.stack, '');
    parts.push(cleanTrace(typeof stack === 'string' ? stack : attempt(() => inspect(stack), '')));
  }
  return parts.join('\nCaused by: ');
}

/** describe makes the head of an error frame out of anything that was thrown. */
function describe(kind, thrown) {
  if (thrown instanceof Failure) {
    return { kind: thrown.kind, type: cut(thrown.type, MAX_TYPE), message: cut(thrown.message, MAX_MESSAGE), trace: '' };
  }
  return {
    kind,
    type: cut(typeOf(thrown), MAX_TYPE),
    message: cut(messageOf(thrown), MAX_MESSAGE),
    trace: cut(traceOf(thrown), MAX_TRACE),
  };
}

module.exports = { Failure, cut, describe };

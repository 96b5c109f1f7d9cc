// How a handler's reply is read: what is its status, its headers and its body,
// and does it stream.
'use strict';

const { arrayIsArray, bufferFrom, jsonStringify, tagOf } = require('./primordials.cjs');
const { EMPTY, utf8 } = require('./frames.cjs');
const { Failure } = require('./errors.cjs');

const JSON_TYPE = 'application/json';
const BYTES_TYPE = 'application/octet-stream';
const TEXT_TYPE = 'text/plain; charset=utf-8';

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const HEADER_VALUE = /^[^\0\r\n]*$/;

const NOT_JSON = new Set(['Function', 'AsyncFunction', 'GeneratorFunction', 'AsyncGeneratorFunction', 'Symbol', 'Set', 'Map', 'WeakSet', 'WeakMap']);

const bad = (type, message) => new Failure('reply', type, message);

/** typeName is what a person calls a value's type: "Set", "BigInt". */
const typeName = (value) => tagOf(value).slice(8, -1);

/** jsonBytes writes a value as JSON; undefined is null. */
function jsonBytes(value) {
  const type = typeName(value);
  if (NOT_JSON.has(type)) throw bad(type, `the handler returned a ${type}, which JSON can't hold`);
  let text;
  try {
    text = jsonStringify(value === undefined ? null : value);
  } catch (err) {
    throw bad(typeof value === 'bigint' ? 'BigInt' : err?.name ?? 'Error', `the handler's reply can't be JSON: ${err?.message ?? err}`);
  }
  return utf8(text === undefined ? 'null' : text);
}

/** asBytes returns a view of bytes-like values, else null. */
function asBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return bufferFrom(value);
  return null;
}

/** asStream returns the iterator of a value that streams, else null. */
function asStream(value) {
  if (value === null || typeof value !== 'object' || arrayIsArray(value)) return null;
  if (typeof value[Symbol.asyncIterator] === 'function') return value[Symbol.asyncIterator]();
  if (typeof value.next === 'function' && typeof value[Symbol.iterator] === 'function') return value[Symbol.iterator]();
  return null;
}

const hasStatus = (value) =>
  value !== null && typeof value === 'object' && !arrayIsArray(value) && value.statusCode !== undefined;

function status(code) {
  const n = typeof code === 'string' && /^\d{3}$/.test(code) ? Number(code) : code;
  if (!Number.isInteger(n) || n <= 100 || n >= 600) {
    throw bad('statusCode', `statusCode is ${typeof code === 'number' ? code : jsonStringify(code)}, not a number from 101 to 599`);
  }
  return n;
}

function addHeader(headers, name, value) {
  if (value === null || value === undefined) return;
  const key = name.toLowerCase();
  if (!HEADER_NAME.test(key)) throw bad('headers', `${jsonStringify(name)} can't be the name of a header`);
  for (const one of arrayIsArray(value) ? value : [value]) {
    const text = String(one);
    if (!HEADER_VALUE.test(text)) throw bad('headers', `the header ${key} holds a line break`);
    (headers[key] ??= []).push(text);
  }
}

/** replyHead reads the status and headers of an object with a statusCode. */
function replyHead(reply, contentType) {
  const headers = Object.create(null);
  for (const name of Object.keys(reply.multiValueHeaders ?? {})) addHeader(headers, name, reply.multiValueHeaders[name]);
  for (const name of Object.keys(reply.headers ?? {})) {
    if (!headers[name.toLowerCase()]) addHeader(headers, name, reply.headers[name]);
  }
  if (reply.cookies !== undefined && reply.cookies !== null) {
    if (!arrayIsArray(reply.cookies)) throw bad('cookies', 'cookies is not a list of strings');
    addHeader(headers, 'set-cookie', reply.cookies);
  }
  headers['content-type'] ??= [contentType];
  return { status: status(reply.statusCode), headers };
}

function replyBody(reply) {
  const { body } = reply;
  if (body === undefined || body === null) return EMPTY;
  if (typeof body === 'string') return reply.isBase64Encoded ? bufferFrom(body, 'base64') : utf8(body);
  return asBytes(body) ?? jsonBytes(body);
}

const plain = (contentType) => ({ status: 200, headers: { 'content-type': [contentType] } });

/**
 * read says what a handler's value is: `{head, body}` for a whole reply, or
 * `{head, stream}` for one that streams, where head may be null until the first item.
 */
function read(kind, value) {
  const stream = asStream(value);
  if (stream !== null) return { head: null, stream };
  if (kind !== 'http') return { head: {}, body: asBytes(value) ?? jsonBytes(value) };
  if (hasStatus(value)) {
    const inner = asStream(value.body);
    if (inner !== null) return { head: replyHead(value, BYTES_TYPE), stream: inner };
    return { head: replyHead(value, JSON_TYPE), body: replyBody(value) };
  }
  const bytes = asBytes(value);
  if (bytes !== null) return { head: plain(BYTES_TYPE), body: bytes };
  if (typeof value === 'string') return { head: plain(JSON_TYPE), body: utf8(value) };
  return { head: plain(JSON_TYPE), body: jsonBytes(value) };
}

/** itemBytes is one item of a stream: text, bytes, or JSON and a newline. */
function itemBytes(item) {
  if (typeof item === 'string') return utf8(item);
  return asBytes(item) ?? bufferFrom(`${jsonBytes(item)}\n`, 'utf8');
}

/** streamHead is the head of a stream, and whether its first item was only that. */
function streamHead(kind, first) {
  if (kind !== 'http') return { head: {}, used: false };
  if (!first.done && hasStatus(first.value) && first.value.body === undefined) {
    return { head: replyHead(first.value, BYTES_TYPE), used: true };
  }
  return { head: plain(!first.done && typeof first.value === 'string' ? TEXT_TYPE : BYTES_TYPE), used: false };
}

module.exports = { itemBytes, read, streamHead };

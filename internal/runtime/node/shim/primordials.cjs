// What the shim needs of the language's own library, taken before any function
// runs. A function that replaces JSON.stringify or Promise.prototype.then
// changes its own world, not the shim's.
'use strict';

const { AsyncLocalStorage } = require('node:async_hooks');
const { Buffer } = require('node:buffer');
const fs = require('node:fs');
const util = require('node:util');

const call = Function.prototype.call;
const uncurry = (method) => call.bind(method);

module.exports = {
  AsyncLocalStorage,
  arrayIsArray: Array.isArray,
  bufferAlloc: Buffer.allocUnsafeSlow,
  bufferFrom: Buffer.from,
  byteLength: Buffer.byteLength,
  hrtime: process.hrtime.bigint,
  inspect: util.inspect,
  jsonParse: JSON.parse,
  jsonStringify: JSON.stringify,
  now: Date.now,
  promiseThen: uncurry(Promise.prototype.then),
  reallyExit: process.reallyExit.bind(process),
  tagOf: uncurry(Object.prototype.toString),
  textOf: uncurry(Buffer.prototype.toString),
  wait: Atomics.wait,
  writeSync: fs.writeSync,
};

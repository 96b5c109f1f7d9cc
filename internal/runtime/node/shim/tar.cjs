// Unpacks the code where it travelled by wire: an uncompressed tar of files
// and folders.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { textOf } = require('./primordials.cjs');
const { Failure } = require('./errors.cjs');

const BLOCK = 512;

const bad = (message) => new Failure('import', 'BadBundle', message);

/** field reads a string of a header, ended by a zero byte. */
function field(header, at, length) {
  const end = header.indexOf(0, at);
  return textOf(header, 'utf8', at, end < 0 || end > at + length ? at + length : end);
}

function number(header, at, length) {
  const n = parseInt(field(header, at, length).trim() || '0', 8);
  if (!Number.isSafeInteger(n) || n < 0) throw bad('a header of the bundle holds a bad number');
  return n;
}

/** extended reads the records of a pax header: "30 path=long/name\n". */
function extended(bytes) {
  const out = {};
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(32, at);
    const length = Number(textOf(bytes, 'utf8', at, space));
    if (space < 0 || !(length > 0)) throw bad('an extended header of the bundle is broken');
    const [name, ...value] = textOf(bytes, 'utf8', space + 1, at + length - 1).split('=');
    out[name] = value.join('=');
    at += length;
  }
  return out;
}

function inside(root, name) {
  const target = path.join(root, name);
  if (target !== root && !target.startsWith(root + path.sep)) throw bad(`the bundle's entry ${name} leads out of it`);
  return target;
}

/** unpack writes the entries of a tar below root. */
function unpack(bytes, root) {
  root = path.resolve(root);
  fs.mkdirSync(root, { recursive: true });
  let longer = {};
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header[0] === 0) return;
    const size = longer.size === undefined ? number(header, 124, 12) : Number(longer.size);
    const content = bytes.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length !== size) throw bad('the bundle is cut off');
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
    const kind = String.fromCharCode(header[156] || 48);
    if (kind === 'x') longer = { ...longer, ...extended(content) };
    if (kind === 'L') longer = { ...longer, path: field(content, 0, content.length) };
    if (kind === 'x' || kind === 'L' || kind === 'g') continue;

    const prefix = field(header, 257, 5) === 'ustar' ? field(header, 345, 155) : '';
    const name = longer.path ?? (prefix ? `${prefix}/${field(header, 0, 100)}` : field(header, 0, 100));
    longer = {};
    const target = inside(root, name);
    if (kind === '5') {
      fs.mkdirSync(target, { recursive: true });
    } else if (kind === '0' || kind === '7') {
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, content, { mode: number(header, 100, 8) & 0o777 | 0o400 });
    } else {
      throw bad(`the bundle's entry ${name} is neither a file nor a folder`);
    }
  }
}

module.exports = { unpack };

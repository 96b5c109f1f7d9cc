// Finding a handler: which file a name like "pkg/mod.fn" means, how it is
// loaded (CommonJS or ES module, as Node itself would decide), and which of its
// exports is meant.
'use strict';

const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const vm = require('node:vm');
const { hrtime, jsonParse, tagOf } = require('./primordials.cjs');
const { Failure } = require('./errors.cjs');

const EXTENSIONS = ['.js', '.mjs', '.cjs'];
const MODULE_SYNTAX = /^\s*(?:import(?:\s+\w|\s*[{*"'])|export(?:\s+\w|\s*[{*])|await\s)|\bimport\.meta\b/m;
const SLOW_US = 2000;
const MAX_SLOW = 16;

const isFile = (file) => fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** fileOf returns the file of the module `name` below `root`, or null. */
function fileOf(root, name) {
  for (const base of [name, path.join(name, 'index')]) {
    for (const extension of EXTENSIONS) {
      const file = path.join(root, base + extension);
      if (isFile(file)) return file;
    }
  }
  return null;
}

/**
 * split finds the file and the attribute path of a handler. The longest module
 * name wins: "a.b.c" is c of a/b, then c of "a.b", then b.c of a.
 */
function split(root, handler) {
  const slash = handler.lastIndexOf('/') + 1;
  const folder = handler.slice(0, slash);
  const parts = handler.slice(slash).split('.');
  if (parts.length < 2 || parts.includes('') || path.isAbsolute(handler) || folder.split('/').includes('..')) {
    throw new Failure('no_handler', 'BadHandlerName', `"${handler}" is not a handler: write FILE.EXPORT, for example index.handler`);
  }
  for (let n = parts.length - 1; n > 0; n--) {
    for (const separator of n > 1 ? ['/', '.'] : ['/']) {
      const file = fileOf(root, folder + parts.slice(0, n).join(separator));
      if (file !== null) return { file, attributes: parts.slice(n) };
    }
  }
  const tried = folder + parts.slice(0, -1).join('/');
  throw new Failure('no_module', 'ModuleNotFound', `there is no ${EXTENSIONS.map((e) => tried + e).join(', ')} in the function's code`);
}

/** packageType is the "type" of the nearest package.json, looking no higher than root. */
function packageType(root, file) {
  for (let folder = path.dirname(file); folder.startsWith(root); folder = path.dirname(folder)) {
    const manifest = path.join(folder, 'package.json');
    if (isFile(manifest)) {
      try {
        return jsonParse(fs.readFileSync(manifest, 'utf8')).type ?? '';
      } catch (err) {
        throw new Failure('import', 'SyntaxError', `${manifest} is not JSON: ${err.message}`);
      }
    }
    if (folder === root) break;
  }
  return '';
}

/**
 * isModule tells whether a file has to go through import(). Where nothing
 * says so, a file that looks like an ES module does: import() also takes CommonJS.
 */
function isModule(root, file) {
  if (file.endsWith('.mjs')) return true;
  if (file.endsWith('.cjs')) return false;
  const type = packageType(root, file);
  if (type !== '') return type === 'module';
  return MODULE_SYNTAX.test(fs.readFileSync(file, 'utf8'));
}

/** Stopwatch notes which packages take long to require. */
class Stopwatch {
  slow = [];
  #plain = Module._load;

  start() {
    const { slow } = this;
    const plain = this.#plain;
    Module._load = function load(request, ...rest) {
      if (request[0] === '.' || request[0] === '/') return plain.call(this, request, ...rest);
      const began = hrtime();
      try {
        return plain.call(this, request, ...rest);
      } finally {
        const us = Number((hrtime() - began) / 1000n);
        if (us >= SLOW_US && slow.length < MAX_SLOW) slow.push({ module: request, us });
      }
    };
  }

  stop() { Module._load = this.#plain; }
}

/** importFile loads a file and returns where its exports may be found, best first. */
async function importFile(root, file) {
  if (!isModule(root, file)) return [Module.createRequire(file)(file)];
  try {
    const namespace = await import(pathToFileURL(file).href);
    return 'default' in namespace ? [namespace, namespace.default] : [namespace];
  } catch (err) {
    throw explained(file, err);
  }
}

/** explained adds to a syntax error where it is, or what to do where an old Node takes an ES module for CommonJS. */
function explained(file, err) {
  if (!(err instanceof SyntaxError)) return err;
  if (file.endsWith('.js') && /import statement|token 'export'|import\.meta/.test(err.message)) {
    err.message += ' (rename the file to .mjs, or put "type": "module" into package.json)';
  } else {
    err.stack = located(file, err.message) ?? err.stack;
  }
  return err;
}

/**
 * located compiles a module once more as a script, without its imports and
 * exports, to learn the line of a syntax error: import() doesn't tell. It returns
 * the trace, or null where it finds none: the error is in another file.
 */
function located(file, message) {
  const source = fs.readFileSync(file, 'utf8')
    .replace(/^([ \t]*)import\b[^(.][^;]*?(['"])[^'"\n]*\2;?/gm, (text) => text.replace(/[^\n]/g, ' '))
    .replace(/^([ \t]*)export[ \t]+default\b/gm, '$1void          ')
    .replace(/^([ \t]*)export[ \t]*(?=\{)/gm, '$1void  ')
    .replace(/^([ \t]*)export\b/gm, '$1      ');
  try {
    new vm.Script(`(async()=>{${source}\n})`, { filename: file, columnOffset: -'(async()=>{'.length });
  } catch (err) {
    // Where a bracket is open the end looks different from within one.
    return err.message === message ? err.stack : `${err.stack.split('\n', 1)[0]}\nSyntaxError: ${message}`;
  }
  return null;
}

/** pick follows the attribute path from one of the places. */
function pick(places, attributes, file) {
  for (const place of places) {
    let owner;
    let value = attributes.length === 1 && attributes[0] === 'default' && typeof place === 'function' ? place : undefined;
    if (value === undefined) {
      value = place;
      for (const name of attributes) {
        owner = value;
        value = value?.[name];
      }
    }
    if (typeof value === 'function') return { call: value, owner };
    if (value !== undefined) {
      throw new Failure('no_handler', 'NotAFunction', `${attributes.join('.')} of ${path.basename(file)} is not a function`);
    }
  }
  const names = [...new Set(places.flatMap((place) => Object.keys(place ?? {})))].filter((name) => name !== 'module.exports').slice(0, 10);
  const has = typeof places[0] === 'function' ? 'module.exports is the function itself: use .default' :
    names.length > 0 ? `it exports ${names.join(', ')}` : 'it exports nothing';
  throw new Failure('no_handler', 'HandlerNotFound', `${path.basename(file)} exports no ${attributes.join('.')}; ${has}`);
}

/** shapeOf says how a handler answers. */
function shapeOf(call) {
  switch (tagOf(call)) {
    case '[object AsyncFunction]': return 'async';
    case '[object GeneratorFunction]': return 'generator';
    case '[object AsyncGeneratorFunction]': return 'async_generator';
    default: return 'sync';
  }
}

/** find loads the handler of `root` and says how it is, or throws. */
async function find(root, handler) {
  const { file, attributes } = split(root, handler);
  const watch = new Stopwatch();
  const began = hrtime();
  watch.start();
  let places;
  try {
    places = await importFile(root, file);
  } finally {
    watch.stop();
  }
  const importUs = Number((hrtime() - began) / 1000n);
  const { call, owner } = pick(places, attributes, file);
  return { call, owner, file, importUs, slow: watch.slow, shape: shapeOf(call) };
}

module.exports = { find };

// Keeps V8 inside the function's memory. Its own idea of the limit is fixed when
// it starts, before the function is known, and is that of the host; so what is
// steered is how much garbage it lets stand before it collects.
'use strict';

const v8 = require('node:v8');
const vm = require('node:vm');

const SMALL_MIB = 512;

/** collect runs a full collection, so that later ones are paced by what is alive now. */
function collect() {
  v8.setFlagsFromString('--expose-gc');
  vm.runInNewContext('gc')();
  v8.setFlagsFromString('--no-expose-gc');
}

/**
 * tune sets how far the heap may grow between collections, in percent of what
 * is alive. The less memory, the earlier; with plenty V8's own way is faster.
 */
function tune(memoryMiB) {
  if (memoryMiB <= SMALL_MIB) v8.setFlagsFromString(`--heap-growing-percent=${memoryMiB <= SMALL_MIB / 2 ? 30 : 60}`);
}

module.exports = { collect, tune };

// The context object that a handler gets as its second parameter.
'use strict';

const { now } = require('./primordials.cjs');

/** Context is one invocation as its handler sees it. */
class Context {
  #deadline;
  #invocation;

  /** `settle(err, value)` ends the invocation, as a callback does. */
  constructor(load, head, invocation, settle) {
    this.#deadline = head.deadline_ms ?? 0;
    this.#invocation = invocation;
    this.functionName = load.function;
    this.functionVersion = String(load.version);
    this.memoryLimitInMB = String(load.memory);
    this.awsRequestId = head.id;
    // In the form of AWS, as handlers split it.
    this.invokedFunctionArn = `arn:hearth:lambda:local:000000000000:function:${load.function}:${load.version}`;
    this.logGroupName = `/hearth/${load.function}`;
    this.logStreamName = String(load.version);
    this.callbackWaitsForEmptyEventLoop = true;
    this.deadlineMs = this.#deadline;
    this.trace = head.trace;
    this.done = (err, value) => settle(err, value);
    this.succeed = (value) => settle(null, value);
    this.fail = (err) => settle(err ?? 'handled', undefined);
  }

  getRemainingTimeInMillis() { return Math.max(0, this.#deadline - now()); }

  /** signal aborts when the caller went away or the time is over. */
  get signal() { return this.#invocation.signal; }
}

module.exports = { Context };

// The oldest style: the context ends the call, from a timer.
var timers = require('timers');

exports.handler = function (event, context) {
  timers.setTimeout(function () {
    if (event.fail) {
      context.fail(new TypeError('asked to fail'));
    } else {
      context.succeed({ got: event.value });
    }
  }, 5);
};

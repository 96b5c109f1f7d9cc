// Package fake is a driver whose sandboxes live in memory: a goroutine speaks
// the wire over a pipe and does what its input says. Tests of the engine use
// it to see failures that a real interpreter shows only by luck, and in
// testing/synctest bubbles, where a second costs nothing.
//
// It also watches its user: calls in an order that the contracts forbid are
// written down, and Violations lists them.
//
// # What an event says
//
// An event that is a JSON object is a script, unless it has none of these
// members; then, as any other event, it is returned as it is. For an HTTP
// event the request's body is the script. The members work in this order:
//
//	log      a line, or a list of lines, to stdout by wire
//	raw      text written to descriptor 1 behind the wire's back
//	memory   bytes held from now on; more than the limit is out of memory
//	cpu      CPU time used, "50ms"
//	sleep    "50ms"; ends early when the invocation is cancelled
//	hang     true: never answers and ignores cancel
//	oom      true: the kernel kills it for memory
//	signal   "SIGSEGV": dies of a signal
//	exit     3: the process ends with this status
//	quit     3: the same, but the shim says so first, as for sys.exit
//	garbage  true: sends bytes that are no frames
//	fail     "ValueError: no": the handler throws
//	stream   3: a streamed reply of this many chunks
//	size     bytes of a chunk, or of the whole reply
//	every    "1s": the pause before each chunk
//	break    "ValueError: no": the handler throws after the last chunk
//	status   404: of an HTTP reply
//	headers  {"a":["b"]}: of an HTTP reply
//	count    true: replies how many invocations the sandbox has served
//	env      "K": replies the value of the variable, null if it isn't set
//	echo     any JSON: the reply
//
// # What the environment says
//
// FAKE_LOAD_FAIL "ImportError: no" fails the import, FAKE_LOAD_SLEEP "50ms" makes
// it slow, FAKE_LOAD_EXIT "3" and FAKE_LOAD_OOM "1" end the process in it,
// FAKE_LOAD_HANG "1" never ends. A handler whose last part is "missing" isn't
// found.
//
// The package is not for measuring anything, nor for shipping to users.
package fake

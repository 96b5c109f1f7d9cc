package hearth

import (
	"errors"
	"fmt"
)

// Code is the stable, machine-readable name of what went wrong. It is the
// `code` of the API's problem documents and never changes its meaning.
type Code string

// The codes. The comment says whose fault it is, see [Code.Fault].
const (
	CodeInvalid         Code = "invalid"                // caller: the request can't be understood or is out of range
	CodeUnauthenticated Code = "unauthenticated"        // caller: no key, or one that isn't known
	CodeForbidden       Code = "forbidden"              // caller: the key's role doesn't allow it
	CodeNotFound        Code = "not_found"              // caller
	CodeMethod          Code = "method_not_allowed"     // caller
	CodeConflict        Code = "conflict"               // caller: the name or route is taken
	CodeStale           Code = "precondition_failed"    // caller: somebody changed it in between
	CodeTooLarge        Code = "payload_too_large"      // caller
	CodeThrottled       Code = "throttled"              // caller: a concurrency limit or the queue is full; try again
	CodeCancelled       Code = "cancelled"              // caller: went away before the reply
	CodeUnsupported     Code = "unsupported"            // caller: this host can't do it (a limit it can't enforce, a runtime it lacks)
	CodeFunctionError   Code = "function_error"         // function: its code threw, or its module didn't load
	CodeFunctionTimeout Code = "function_timeout"       // function: it overran
	CodeFunctionOOM     Code = "function_out_of_memory" // function: the kernel killed it for memory
	CodeFunctionCrashed Code = "function_crashed"       // function: its process ended
	CodeFunctionReply   Code = "function_bad_reply"     // function: what it returned can't be sent (not JSON, too large)
	CodePlatform        Code = "platform_error"         // platform: our own failure
	CodeUnavailable     Code = "unavailable"            // platform: shutting down, or no sandbox could be made
)

// Fault says who has to act: the caller, the function's author, or the operator.
type Fault int

// The faults.
const (
	FaultPlatform Fault = iota
	FaultCaller
	FaultFunction
)

// String returns "platform", "caller" or "function".
func (f Fault) String() string {
	return [...]string{"platform", "caller", "function"}[f]
}

// Fault tells whose failure c is. Unknown codes are the platform's.
func (c Code) Fault() Fault {
	switch c {
	case CodeFunctionError, CodeFunctionTimeout, CodeFunctionOOM, CodeFunctionCrashed, CodeFunctionReply:
		return FaultFunction
	case CodePlatform, CodeUnavailable, "":
		return FaultPlatform
	case CodeInvalid, CodeUnauthenticated, CodeForbidden, CodeNotFound, CodeMethod, CodeConflict,
		CodeStale, CodeTooLarge, CodeThrottled, CodeCancelled, CodeUnsupported:
		return FaultCaller
	}
	return FaultPlatform
}

// Error is the error that crosses package and process borders. Message says
// what was wrong; Hint what to do about it. Cause is for the log of the server
// and never reaches a caller.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Field   string `json:"field,omitempty"` // the input field at fault, in the caller's spelling

	// Type and Trace describe an exception of the function: its class name and
	// the stack as the language prints it.
	Type  string `json:"type,omitempty"`
	Trace string `json:"trace,omitempty"`

	// RetryAfter is how long a throttled caller does well to wait.
	RetryAfter Duration `json:"retry_after,omitzero"`

	Cause error `json:"-"`
}

// Error returns the message, and the cause behind it if there is one.
func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// WithHint returns a copy of e with a hint of what to do next.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// WithField returns a copy of e that names the input field at fault.
func (e *Error) WithField(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// Errorf returns an error of the given code. A %w verb sets the cause, whose
// text stays out of Message.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	cause := errors.Unwrap(err)
	msg := err.Error()
	if cause != nil {
		if suffix := ": " + cause.Error(); len(msg) > len(suffix) && msg[len(msg)-len(suffix):] == suffix {
			msg = msg[:len(msg)-len(suffix)]
		}
	}
	return &Error{Code: code, Message: msg, Cause: cause}
}

// ErrorCode returns the code of the first [Error] in err's chain, "" for nil
// and [CodePlatform] for any other error.
func ErrorCode(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodePlatform
}

// AsError returns the first [Error] in err's chain. Any other error becomes a
// platform error with a message that gives nothing away and err as its cause.
// It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodePlatform, Message: "internal error", Cause: err}
}

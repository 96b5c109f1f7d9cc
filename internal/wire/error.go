package wire

import (
	"errors"
	"fmt"

	"hearth"
)

// ErrClosed is the error of a Conn that was closed by this side.
var ErrClosed = errors.New("the wire is closed")

// The kinds of [Error].
const (
	ErrorImport    = "import"
	ErrorNoModule  = "no_module"
	ErrorNoHandler = "no_handler"
	ErrorHandler   = "handler"
	ErrorReply     = "reply"
	ErrorExit      = "exit"
	ErrorCancelled = "cancelled"
)

// Error is a failure of the function, as its shim reports it. It says nothing
// about the platform.
type Error struct {
	Kind    string `json:"kind"`
	Type    string `json:"type"`
	Message string `json:"message"`
	Trace   string `json:"trace"`
}

const (
	maxErrorType    = 256
	maxErrorMessage = 16 << 10
	maxErrorTrace   = 64 << 10
)

// bounded returns e with its strings cut to the protocol's lengths.
func (e Error) bounded() *Error {
	e.Kind = cut(e.Kind, maxErrorType)
	e.Type = cut(e.Type, maxErrorType)
	e.Message = cut(e.Message, maxErrorMessage)
	e.Trace = cut(e.Trace, maxErrorTrace)
	return &e
}

// Error returns type and message as the languages print them.
func (e *Error) Error() string {
	switch {
	case e.Type == "":
		return e.Message
	case e.Message == "":
		return e.Type
	}
	return e.Type + ": " + e.Message
}

// Code returns what kind of failure e is to the platform.
func (e *Error) Code() hearth.Code {
	switch e.Kind {
	case ErrorReply:
		return hearth.CodeFunctionReply
	case ErrorExit:
		return hearth.CodeFunctionCrashed
	case ErrorCancelled:
		return hearth.CodeCancelled
	}
	return hearth.CodeFunctionError
}

// Hearth returns e for the caller and the author of the function.
func (e *Error) Hearth() *hearth.Error {
	return &hearth.Error{Code: e.Code(), Message: e.message(), Hint: e.hint(), Type: e.Type, Trace: e.Trace}
}

func (e *Error) message() string {
	switch e.Kind {
	case ErrorImport:
		return "the function's module failed to import: " + e.Error()
	case ErrorReply:
		return "the function's reply can't be sent: " + e.Message
	case ErrorExit:
		return fmt.Sprintf("the function ended its own process: %s", e.Message)
	case ErrorCancelled:
		return "the invocation was cancelled"
	}
	if e.Message == "" {
		return e.Error()
	}
	return e.Message
}

func (e *Error) hint() string {
	switch e.Kind {
	case ErrorImport:
		return "the trace shows the line; deploy again when it is mended. Modules that aren't part of the language must be in the bundle"
	case ErrorNoModule:
		return "the handler is written module.function: check that the bundle holds that file at its top, or name another with --handler"
	case ErrorNoHandler:
		return "check the function's name in the module, or name another with --handler"
	case ErrorReply:
		return "return a value that JSON can hold, bytes, or a dict with statusCode and body"
	case ErrorExit:
		return "return from the handler instead of ending the process"
	}
	return ""
}

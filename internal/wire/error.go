package wire

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

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
		return e.importHint()
	case ErrorNoModule:
		return "the handler is written module.function: check that the bundle holds that file at its top, or name another with --handler"
	case ErrorNoHandler:
		return "check the function's name in the module, or name another with --handler"
	case ErrorReply:
		return "return a value that JSON can hold, bytes, or a dict with statusCode and body"
	case ErrorExit:
		return "return from the handler instead of ending the process"
	case ErrorHandler:
		if e.Type == "TypeError" && argumentsRE.MatchString(e.Message) {
			return "a handler takes two arguments: def handler(event, context)"
		}
	}
	return ""
}

var (
	// argumentsRE matches Python's words for a handler that takes other
	// arguments than it is given.
	argumentsRE = regexp.MustCompile(`^\w+\(\) (takes (from )?\d.* positional arguments? .*but 2 were given|missing \d+ required positional argument)`)
	// packageRE matches the words of Python and Node for a package that isn't
	// there: not for a file of the function's own.
	packageRE = regexp.MustCompile(`^(?:No module named|Cannot find package|Cannot find module) '([^./'][^']*)'`)
	// variableRE finds a missing variable of the environment in Python's trace.
	variableRE = regexp.MustCompile(`os\.environ\[["'](\w+)["']\]`)
)

func (e *Error) importHint() string {
	if m := packageRE.FindStringSubmatch(e.Message); m != nil {
		install := "npm install " + npmPackage(m[1])
		if e.Type == "ModuleNotFoundError" {
			name, _, _ := strings.Cut(m[1], ".")
			install = "pip install --target . " + name
		}
		return "dependencies aren't installed for you yet: put them into the function's folder, for example with `" + install + "` there, and deploy again"
	}
	if m := variableRE.FindStringSubmatch(e.Trace); m != nil && e.Type == "KeyError" {
		return "deploy it with --env " + m[1] + "=VALUE"
	}
	if e.Type == "SyntaxError" || e.Type == "IndentationError" {
		return "mend that line and deploy again"
	}
	return "what stands at the top of a module runs when it is loaded: mend the line that the trace shows, and deploy again"
}

// npmPackage is the package of what is imported: "lodash" of "lodash/fp".
func npmPackage(specifier string) string {
	parts := strings.SplitN(specifier, "/", 3)
	if strings.HasPrefix(specifier, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

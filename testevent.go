package hearth

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// TestEvent is a call that is kept with its function, to make it again.
type TestEvent struct {
	Name    string            `json:"name"`
	Kind    TestEventKind     `json:"kind" enum:"json,http" doc:"json for the invoke operation, http for the function's address"`
	Method  string            `json:"method,omitempty" doc:"http: the method"`
	Path    string            `json:"path,omitempty" doc:"http: below the function's address, with its query: /items?q=1"`
	Headers map[string]string `json:"headers,omitempty" doc:"http: the headers"`
	Body    string            `json:"body" doc:"json: the document; http: the body as text, or base64"`
	Base64  bool              `json:"base64,omitempty" doc:"http: the body is bytes, written in base64"`

	Shared    bool      `json:"shared" doc:"always true: everybody who sees the function sees it"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitempty" doc:"user's name"`
}

// TestEventKind says how a [TestEvent] is called.
type TestEventKind string

// The kinds.
const (
	TestEventJSON TestEventKind = "json"
	TestEventHTTP TestEventKind = "http"
)

// What test events may hold. A function has at most MaxTestEvents.
const (
	MaxTestEvents     = 50
	MaxTestEventBytes = 256 << 10 // of body, path and headers together
)

const (
	maxEventName    = 63 // characters
	maxEventHeaders = 64
)

var (
	eventPathRE  = regexp.MustCompile(`^/[!-~]*$`) // as it goes over the wire: ASCII without spaces
	headerNameRE = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// ValidateTestEventName reports, as an [Error] with code [CodeInvalid], why s
// can't be the name of a test event.
func ValidateTestEventName(s string) error {
	ok := utf8.ValidString(s) && s != "" && s != "." && s != ".." && strings.TrimSpace(s) == s &&
		utf8.RuneCountInString(s) <= maxEventName && !strings.ContainsAny(s, `/\`) && !strings.ContainsFunc(s, unicode.IsControl)
	if ok {
		return nil
	}
	return Errorf(CodeInvalid, "%.100q can't be a test event's name", s).WithField("name").
		WithHint("use 1 to %d characters, without slashes and line breaks, for example: an order of two lamps", maxEventName)
}

// Validate reports, as an [Error], the first field of e that can't be.
func (e TestEvent) Validate() error {
	if err := ValidateTestEventName(e.Name); err != nil {
		return err
	}
	size := len(e.Body) + len(e.Path)
	for k, v := range e.Headers {
		size += len(k) + len(v)
	}
	if size > MaxTestEventBytes {
		return Errorf(CodeTooLarge, "the test event has %d bytes, over the limit of %d KiB", size, MaxTestEventBytes>>10).
			WithHint("keep large inputs in a file, and send them with: hearth invoke NAME -d @file").WithField("body")
	}
	if e.Kind == TestEventHTTP {
		return e.validateHTTP()
	}
	bad := func(field, format string, args ...any) *Error {
		return Errorf(CodeInvalid, field+" "+format, args...).WithField(field)
	}
	switch {
	case e.Kind != TestEventJSON:
		return bad("kind", "%q is not known", e.Kind).WithHint("use json or http")
	case e.Method != "":
		return bad("method", "is for events of the kind http").WithHint("leave it out, or set kind to http")
	case e.Path != "":
		return bad("path", "is for events of the kind http").WithHint("leave it out, or set kind to http")
	case len(e.Headers) > 0:
		return bad("headers", "are for events of the kind http").WithHint("leave them out, or set kind to http")
	case e.Base64:
		return bad("base64", "is for events of the kind http").WithHint("leave it out, or set kind to http")
	case e.Body != "" && !json.Valid([]byte(e.Body)):
		return bad("body", "is not a JSON document").WithHint(`write it like {"name": "Ada"}; nothing means null`)
	}
	return nil
}

func (e TestEvent) validateHTTP() error {
	bad := func(field, format string, args ...any) *Error {
		return Errorf(CodeInvalid, field+" "+format, args...).WithField(field)
	}
	switch {
	case !methodRE.MatchString(e.Method):
		return bad("method", "%.20q is not known", e.Method).WithHint("use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
	case !eventPathRE.MatchString(e.Path) || strings.Contains(e.Path, "#"):
		return bad("path", "%.100q is not a path", e.Path).WithHint("start with / and escape what isn't ASCII, for example /items?q=lamp%%20oil")
	case len(e.Headers) > maxEventHeaders:
		return bad("headers", "are %d, over the limit of %d", len(e.Headers), maxEventHeaders).WithHint("leave out what the function doesn't read")
	case !utf8.ValidString(e.Body):
		return bad("body", "is not text").WithHint("write it in base64 and set base64")
	}
	for k, v := range e.Headers {
		if !headerNameRE.MatchString(k) {
			return bad("headers", "hold the name %.100q, which no header has", k).WithHint("write it like content-type")
		}
		if strings.ContainsFunc(v, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return bad("headers", "have a line break or another control character in %s", k).WithHint("write its value on one line")
		}
	}
	if e.Base64 {
		if _, err := base64.StdEncoding.DecodeString(e.Body); err != nil {
			return bad("body", "is not base64").WithHint("mend it, or leave base64 out for text")
		}
	}
	return nil
}

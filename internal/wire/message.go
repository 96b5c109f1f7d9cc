package wire

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"

	"hearth"
)

// Version is the protocol's version, which hello names.
const Version = 1

// Hello is what a shim says first.
type Hello struct {
	Protocol int      `json:"protocol"`
	Runtime  string   `json:"runtime"` // "python3.11"
	Version  string   `json:"version"` // "3.11.2"
	Features []string `json:"features"`
}

// Has reports whether the shim named a feature.
func (h Hello) Has(feature string) bool { return slices.Contains(h.Features, feature) }

// Load gives a stem cell its function.
type Load struct {
	Function    string            `json:"function"`
	Version     int               `json:"version"`
	Handler     string            `json:"handler"`
	Code        string            `json:"code"`       // folder inside the sandbox
	Memory      int               `json:"memory"`     // MiB
	TimeoutMS   int64             `json:"timeout_ms"` // of one invocation
	Concurrency int               `json:"concurrency"`
	Env         map[string]string `json:"env,omitempty"`
}

// Ready says that the function is loaded.
type Ready struct {
	ImportUS int64        `json:"import_us"`
	Slow     []SlowImport `json:"slow,omitempty"` // modules that took long, 100 at most
	Shape    string       `json:"shape"`          // sync, async, generator, async_generator
}

// SlowImport is a module and how long its import took.
type SlowImport struct {
	Module string `json:"module"`
	US     int64  `json:"us"`
}

// The kinds of [Invoke].
const (
	KindJSON = "json"
	KindHTTP = "http"
)

// Invoke is the head of one invocation.
type Invoke struct {
	ID         string              `json:"id"`
	Kind       string              `json:"kind"` // KindJSON or KindHTTP
	DeadlineMS int64               `json:"deadline_ms"`
	HTTP       *hearth.HTTPRequest `json:"http,omitempty"`
	Trace      string              `json:"trace,omitempty"` // W3C traceparent
}

// Result is the head of a reply. For kind json Status is 0 and Headers nil.
type Result struct {
	Status    int                 `json:"status"`
	Headers   map[string][]string `json:"headers"`
	HandlerUS int64               `json:"handler_us"`
}

// Log is the head of one or more lines of output.
type Log struct {
	FD    int     `json:"fd"`    // 1 or 2
	Level string  `json:"level"` // as the logging library named it, 32 bytes at most
	T     float64 `json:"t"`     // Unix time in seconds, by the sandbox's clock
}

const (
	maxSlow  = 100
	maxLevel = 32
)

func (r Ready) check() (Ready, error) {
	switch r.Shape {
	case "sync", "async", "generator", "async_generator":
	default:
		return r, violation("ready names the shape %.40q", r.Shape)
	}
	if len(r.Slow) > maxSlow {
		r.Slow = r.Slow[:maxSlow]
	}
	return r, nil
}

func (r Result) check() error {
	if r.Status != 0 && (r.Status <= 100 || r.Status >= 600) {
		return violation("result with status %d", r.Status)
	}
	return nil
}

func (l Log) check() (Log, error) {
	if l.FD != 1 && l.FD != 2 {
		return l, violation("log of descriptor %d", l.FD)
	}
	l.Level = cut(l.Level, maxLevel)
	return l, nil
}

// cut returns at most n bytes of s and ends at a whole character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// appendJSON writes the head. By hand, because it is on the path of every call
// and reflection would cost more than all the rest of it.
func (i Invoke) appendJSON(b []byte) []byte {
	b = append(b, `{"id":`...)
	b = appendString(b, i.ID)
	b = append(b, `,"kind":`...)
	b = appendString(b, i.Kind)
	b = append(b, `,"deadline_ms":`...)
	b = strconv.AppendInt(b, i.DeadlineMS, 10)
	if i.HTTP != nil {
		b = append(b, `,"http":`...)
		b = appendHTTP(b, i.HTTP)
	}
	if i.Trace != "" {
		b = append(b, `,"trace":`...)
		b = appendString(b, i.Trace)
	}
	return append(b, '}')
}

func appendHTTP(b []byte, r *hearth.HTTPRequest) []byte {
	field := func(name, value string) {
		b = append(b, name...)
		b = appendString(b, value)
	}
	field(`{"method":`, r.Method)
	field(`,"path":`, r.Path)
	field(`,"raw_path":`, r.RawPath)
	field(`,"raw_query":`, r.RawQuery)
	field(`,"host":`, r.Host)
	field(`,"scheme":`, r.Scheme)
	field(`,"protocol":`, r.Protocol)
	field(`,"source_ip":`, r.SourceIP)
	field(`,"route":`, r.Route)
	b = append(b, `,"headers":{`...)
	first := true
	for name, values := range r.Headers {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, name)
		b = append(b, ':')
		b = appendStrings(b, values)
	}
	return append(b, '}', '}')
}

func appendStrings(b []byte, ss []string) []byte {
	b = append(b, '[')
	for i, s := range ss {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, s)
	}
	return append(b, ']')
}

func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return appendEscaped(b, s)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendEscaped is for the strings that need care. Marshal of a string can't
// fail: it replaces what isn't UTF-8.
func appendEscaped(b []byte, s string) []byte {
	q, _ := json.Marshal(s)
	return append(b, q...)
}

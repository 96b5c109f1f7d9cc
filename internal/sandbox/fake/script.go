package fake

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

var errCancelled = errors.New("cancelled")

// script is what an event can say, see the package comment.
type script struct {
	Log     lines               `json:"log"`
	Raw     string              `json:"raw"`
	Memory  int64               `json:"memory"`
	CPU     hearth.Duration     `json:"cpu"`
	Sleep   hearth.Duration     `json:"sleep"`
	Hang    bool                `json:"hang"`
	OOM     bool                `json:"oom"`
	Signal  string              `json:"signal"`
	Exit    *int                `json:"exit"`
	Quit    *int                `json:"quit"`
	Garbage bool                `json:"garbage"`
	Fail    string              `json:"fail"`
	Stream  int                 `json:"stream"`
	Size    int                 `json:"size"`
	Every   hearth.Duration     `json:"every"`
	Break   string              `json:"break"`
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers"`
	Count   bool                `json:"count"`
	Env     string              `json:"env"`
	Echo    json.RawMessage     `json:"echo"`
}

// lines is one string or a list of them.
type lines []string

// UnmarshalJSON reads either.
func (l *lines) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*l = lines{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(l))
}

// parse returns the script in an event, nil if it holds none.
func parse(event []byte) (*script, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(event, &members) != nil {
		return nil, nil
	}
	known := false
	for name := range members {
		known = known || isMember(name)
	}
	if !known {
		return nil, nil
	}
	var s script
	return &s, json.Unmarshal(event, &s)
}

func isMember(name string) bool {
	switch name {
	case "log", "raw", "memory", "cpu", "sleep", "hang", "oom", "signal", "exit", "quit", "garbage", "fail",
		"stream", "size", "every", "break", "status", "headers", "count", "env", "echo":
		return true
	}
	return false
}

// run plays the handler.
func (c *call) run(event []byte) {
	began := time.Now()
	defer c.done()
	c.p.sb.running()
	s, err := parse(event)
	switch {
	case err != nil:
		c.fail(exception(wire.ErrorHandler, "ScriptError: "+err.Error()))
		return
	case s == nil && len(event) == 0:
		s = &script{Echo: json.RawMessage("null")}
	case s == nil:
		s = &script{Echo: event}
	}
	if !c.trouble(s) {
		return
	}
	if s.Fail != "" {
		c.fail(exception(wire.ErrorHandler, s.Fail))
		return
	}
	r := wire.Result{HandlerUS: time.Since(began).Microseconds()}
	if c.head.Kind == wire.KindHTTP {
		r.Status, r.Headers = 200, map[string][]string{"content-type": {"application/json"}}
		if s.Status != 0 {
			r.Status = s.Status
		}
		for k, v := range s.Headers {
			r.Headers[k] = v
		}
	}
	if s.Stream > 0 {
		c.stream(s, r)
		return
	}
	body := c.reply(s)
	c.done()
	c.p.head(wire.TypeResult, 0, c.id, r, body)
}

// trouble does all that comes before the reply, and reports false if there is
// none to come.
func (c *call) trouble(s *script) bool {
	sb := c.p.sb
	for _, line := range s.Log {
		c.p.head(wire.TypeLog, 0, c.id, wire.Log{FD: 1, T: float64(time.Now().UnixMilli()) / 1000}, []byte(line+"\n"))
	}
	if s.Raw != "" {
		sb.raw(s.Raw)
	}
	if !sb.use(s.CPU.Std(), s.Memory) || s.OOM {
		sb.end(sandbox.Exit{Code: -1, Signal: "SIGKILL", OOM: true})
		return false
	}
	switch {
	case s.Hang:
		<-sb.life.Done()
		return false
	case !sleep(c.ctx, s.Sleep.Std()):
		c.fail(&wire.Error{Kind: wire.ErrorCancelled, Type: "Cancelled", Message: "the invocation was cancelled"})
		return false
	case s.Signal != "":
		sb.end(sandbox.Exit{Code: -1, Signal: s.Signal})
		return false
	case s.Exit != nil:
		sb.end(sandbox.Exit{Code: *s.Exit})
		return false
	case s.Quit != nil:
		c.fail(&wire.Error{Kind: wire.ErrorExit, Type: "SystemExit", Message: strconv.Itoa(*s.Quit)})
		sb.end(sandbox.Exit{Code: *s.Quit})
		return false
	case s.Garbage:
		c.p.garbage()
		return false
	}
	return true
}

func (c *call) fail(e *wire.Error) {
	c.done()
	c.p.head(wire.TypeError, 0, c.id, e, nil)
}

func (c *call) reply(s *script) []byte {
	switch {
	case s.Size > 0:
		return bytes.Repeat([]byte("x"), s.Size)
	case s.Count:
		return mustJSON(c.p.count())
	case s.Env != "":
		if v, ok := c.p.env(s.Env); ok {
			return mustJSON(v)
		}
	case s.Echo != nil:
		return s.Echo
	}
	return []byte("null")
}

// mustJSON is for values that can't fail.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func (c *call) stream(s *script, r wire.Result) {
	c.p.head(wire.TypeResult, wire.FlagStream, c.id, r, nil)
	chunk := bytes.Repeat([]byte("x"), max(1, s.Size))
	for range s.Stream {
		if !sleep(c.ctx, s.Every.Std()) || !c.sendAll(chunk) {
			c.fail(&wire.Error{Kind: wire.ErrorCancelled, Type: "Cancelled", Message: "the invocation was cancelled"})
			return
		}
	}
	if s.Break != "" {
		c.fail(exception(wire.ErrorHandler, s.Break))
		return
	}
	c.done()
	c.p.send(wire.Frame{Type: wire.TypeChunk, Flags: wire.FlagEnd, Stream: c.id})
}

func (c *call) sendAll(p []byte) bool {
	for len(p) > 0 {
		n := min(len(p), wire.MaxChunk)
		if !c.spend(n) {
			return false
		}
		c.p.send(wire.Frame{Type: wire.TypeChunk, Stream: c.id, Body: p[:n]})
		p = p[n:]
	}
	return true
}

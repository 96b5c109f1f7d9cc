package fake

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// process is what runs inside: a shim whose handlers are scripts.
type process struct {
	sb *Sandbox
	c  net.Conn

	wmu    sync.Mutex // one frame at a time
	failed bool       // of the reader: the import failed, nothing more is said

	mu       sync.Mutex
	load     *wire.Load
	last     uint32
	inFlight map[uint32]*call
	served   int
}

// call is an invocation inside.
type call struct {
	p      *process
	id     uint32
	head   wire.Invoke
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	credit int
	more   chan struct{} // holds a token when credit came
}

func newProcess(s *Sandbox, c net.Conn) *process {
	return &process{sb: s, c: c, inFlight: map[uint32]*call{}}
}

// run reads frames until the wire or the sandbox ends.
func (p *process) run() {
	defer context.AfterFunc(p.sb.life, func() { _ = p.c.Close() })()
	defer p.c.Close()
	p.head(wire.TypeHello, 0, 0, wire.Hello{
		Protocol: wire.Version, Runtime: Runtime().Name, Version: Runtime().Version, Features: []string{"stream", "concurrency"},
	}, nil)
	r := bufio.NewReader(p.c)
	for {
		f, err := wire.ReadFrame(r, wire.DefaultMaxBody)
		if err != nil {
			// The engine closed the wire: the shim exits at once.
			p.sb.end(sandbox.Exit{})
			return
		}
		p.handle(f)
	}
}

func (p *process) handle(f wire.Frame) {
	if p.failed {
		return
	}
	switch f.Type {
	case wire.TypeLoad:
		p.loadFunction(f)
	case wire.TypeInvoke:
		p.invoke(f)
	case wire.TypeCredit:
		var head struct{ Bytes int }
		if c := p.call(f.Stream); c != nil && p.decode(f, &head) {
			c.grant(head.Bytes)
		}
	case wire.TypeCancel:
		if c := p.call(f.Stream); c != nil {
			c.cancel(errCancelled)
		}
	case wire.TypePing:
		p.send(wire.Frame{Type: wire.TypePong, Body: f.Body})
	case wire.TypePong:
	default:
		p.sb.d.violation("%s: a %s frame from the engine", p.sb.id, f.Type)
	}
}

func (p *process) decode(f wire.Frame, v any) bool {
	if err := json.Unmarshal(f.Head, v); err != nil {
		p.sb.d.violation("%s: head of a %s frame: %v", p.sb.id, f.Type, err)
		return false
	}
	return true
}

// loadFunction imports, while the reading of frames waits, as a shim does.
func (p *process) loadFunction(f wire.Frame) {
	var l wire.Load
	if !p.decode(f, &l) {
		return
	}
	a := p.sb.version()
	switch {
	case p.load != nil:
		p.sb.d.violation("%s: load a second time", p.sb.id)
		return
	case a == nil:
		p.sb.d.violation("%s: load before Assign", p.sb.id)
	case a.Version.Function != l.Function || a.Version.Number != l.Version:
		p.sb.d.violation("%s: load of %s@%d where Assign said %s", p.sb.id, l.Function, l.Version, a.Version.Ref())
	}
	if l.Concurrency < 1 {
		p.sb.d.violation("%s: load with concurrency %d", p.sb.id, l.Concurrency)
	}
	p.mu.Lock()
	p.load = &l
	p.mu.Unlock()
	began := time.Now()
	d, _ := time.ParseDuration(l.Env["FAKE_LOAD_SLEEP"])
	if !sleep(p.sb.life, d) {
		return
	}
	if e := p.importError(l); e != nil {
		p.failed = true
		p.head(wire.TypeError, 0, 0, e, nil)
		return
	}
	switch {
	case l.Env["FAKE_LOAD_HANG"] != "":
		<-p.sb.life.Done()
	case l.Env["FAKE_LOAD_OOM"] != "":
		p.sb.end(sandbox.Exit{Code: -1, Signal: "SIGKILL", OOM: true})
	case l.Env["FAKE_LOAD_EXIT"] != "":
		code, _ := strconv.Atoi(l.Env["FAKE_LOAD_EXIT"])
		p.sb.end(sandbox.Exit{Code: code})
	default:
		p.head(wire.TypeReady, 0, 0, wire.Ready{ImportUS: time.Since(began).Microseconds(), Shape: "sync"}, nil)
	}
}

func (p *process) importError(l wire.Load) *wire.Error {
	if strings.HasSuffix(l.Handler, ".missing") {
		return &wire.Error{Kind: wire.ErrorNoHandler, Message: "there is no function " + l.Handler}
	}
	if s := l.Env["FAKE_LOAD_FAIL"]; s != "" {
		return exception(wire.ErrorImport, s)
	}
	return nil
}

// exception reads "ValueError: no".
func exception(kind, s string) *wire.Error {
	typ, msg, ok := strings.Cut(s, ": ")
	if !ok {
		typ, msg = "Error", s
	}
	return &wire.Error{Kind: kind, Type: typ, Message: msg, Trace: "Traceback of the fake:\n  " + s}
}

func (p *process) invoke(f wire.Frame) {
	c := &call{p: p, id: f.Stream, credit: wire.InitialCredit, more: make(chan struct{}, 1)}
	if !p.decode(f, &c.head) {
		return
	}
	p.mu.Lock()
	switch {
	case p.load == nil:
		p.sb.d.violation("%s: invoke before load", p.sb.id)
	case f.Stream != p.last+1:
		p.sb.d.violation("%s: stream %d after %d", p.sb.id, f.Stream, p.last)
	case len(p.inFlight) >= p.load.Concurrency:
		p.sb.d.violation("%s: %d invocations in flight, the limit is %d", p.sb.id, len(p.inFlight)+1, p.load.Concurrency)
	}
	if c.head.ID == "" || (c.head.Kind != wire.KindJSON && c.head.Kind != wire.KindHTTP) {
		p.sb.d.violation("%s: invoke of kind %q with ID %q", p.sb.id, c.head.Kind, c.head.ID)
	}
	p.last = f.Stream
	p.served++
	c.ctx, c.cancel = context.WithCancelCause(p.sb.life)
	p.inFlight[c.id] = c
	p.mu.Unlock()
	p.sb.wg.Go(func() { c.run(f.Body) })
}

func (p *process) call(stream uint32) *call {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stream == 0 || stream > p.last {
		p.sb.d.violation("%s: a frame for stream %d, which was never opened", p.sb.id, stream)
	}
	return p.inFlight[stream]
}

// done takes the call out of flight, just before its last frame goes: the
// engine may send the next invoke when it sees that.
func (c *call) done() {
	c.p.mu.Lock()
	defer c.p.mu.Unlock()
	delete(c.p.inFlight, c.id)
	c.cancel(nil)
}

func (p *process) env(name string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.load == nil {
		return "", false
	}
	v, ok := p.load.Env[name]
	return v, ok
}

func (p *process) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

func (p *process) head(t wire.Type, flags uint8, stream uint32, head any, body []byte) {
	b, err := json.Marshal(head)
	if err != nil {
		p.sb.d.violation("%s: head of a %s frame: %v", p.sb.id, t, err)
		return
	}
	p.send(wire.Frame{Type: t, Flags: flags, Stream: stream, Head: b, Body: body})
}

// send writes one frame, unless the process is dead. That it fails means that
// the wire has ended, which the reader sees too.
func (p *process) send(f wire.Frame) {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	if p.sb.life.Err() != nil {
		return
	}
	_, _ = p.c.Write(f.AppendTo(nil))
}

func (p *process) garbage() {
	p.wmu.Lock()
	defer p.wmu.Unlock()
	_, _ = p.c.Write(bytes.Repeat([]byte{0xba, 0xad}, 512))
}

func (c *call) grant(n int) {
	c.mu.Lock()
	c.credit += n
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// spend waits for credit for n bytes.
func (c *call) spend(n int) bool {
	for {
		c.mu.Lock()
		ok := c.credit >= n
		if ok {
			c.credit -= n
		}
		c.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-c.more:
		case <-c.ctx.Done():
			return false
		}
	}
}

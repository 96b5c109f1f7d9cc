package wire

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"hearth"
)

// shim is the other end of a Conn under test: it sends and expects frames.
type shim struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func pair(t *testing.T, o Options) (*Conn, *shim) {
	t.Helper()
	a, b := net.Pipe()
	c := New(a, o)
	t.Cleanup(func() {
		c.Close()
		b.Close()
		<-c.Done()
	})
	return c, &shim{t: t, c: b, r: bufio.NewReader(b)}
}

func (s *shim) send(f Frame) {
	s.t.Helper()
	if _, err := s.c.Write(f.AppendTo(nil)); err != nil {
		s.t.Errorf("shim sends %s: %v", f.Type, err)
	}
}

func (s *shim) expect(typ Type) Frame {
	s.t.Helper()
	f, err := ReadFrame(s.r, DefaultMaxBody)
	if err != nil {
		s.t.Errorf("shim waits for %s: %v", typ, err)
	} else if f.Type != typ {
		s.t.Errorf("shim got %s, want %s", f.Type, typ)
	}
	return f
}

var helloFrame = Frame{Type: TypeHello, Head: []byte(`{"protocol":1,"runtime":"fake1","version":"1"}`)}
var readyFrame = Frame{Type: TypeReady, Head: []byte(`{"import_us":7,"shape":"sync"}`)}

// loaded returns a Conn whose function is loaded.
func loaded(t *testing.T, o Options) (*Conn, *shim) {
	t.Helper()
	c, s := pair(t, o)
	go func() {
		s.send(helloFrame)
		s.expect(TypeLoad)
		s.send(readyFrame)
	}()
	must(t, c.Load(Load{Function: "f", Handler: "main.handler"}, nil))
	_, err := c.Ready(within(t))
	must(t, err)
	return c, s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestCallTravelsThereAndBack(t *testing.T) {
	var mu sync.Mutex
	var lines []string
	c, s := pair(t, Options{OnLog: func(stream uint32, l Log, body []byte) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, fmt.Sprintf("%d/%d %s %s", stream, l.FD, l.Level, body))
	}})
	go func() {
		s.send(helloFrame)
		load := s.expect(TypeLoad)
		var l Load
		if err := json.Unmarshal(load.Head, &l); err != nil || l.Handler != "main.handler" || string(load.Body) != "tar" {
			t.Errorf("load arrived as %s %q", load.Head, load.Body)
		}
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeLog, Head: []byte(`{"fd":1}`), Body: []byte("importing\n")})
		s.send(readyFrame)
		s.send(Frame{Type: TypeLog, Stream: inv.Stream, Head: []byte(`{"fd":2,"level":"WARNING","t":1.5}`), Body: []byte("hm\n")})
		s.send(Frame{Type: TypeResult, Stream: inv.Stream, Head: []byte(`{"status":201,"headers":{"a":["b"]},"handler_us":5,"new":1}`), Body: inv.Body})
	}()
	ctx := within(t)
	h, err := c.Hello(ctx)
	must(t, err)
	if h.Runtime != "fake1" {
		t.Errorf("hello arrived as %+v", h)
	}
	must(t, c.Load(Load{Function: "f", Handler: "main.handler"}, []byte("tar")))
	st, err := c.Invoke(Invoke{ID: "1", Kind: KindJSON}, []byte(`{"a":1}`))
	must(t, err)
	defer st.Close()
	r, body, more, err := st.Result(ctx)
	must(t, err)
	if r.Status != 201 || r.Headers["a"][0] != "b" || r.HandlerUS != 5 || more || string(body) != `{"a":1}` {
		t.Errorf("result arrived as %+v %q more=%v", r, body, more)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(lines, "|"); got != "0/1  importing\n|1/2 WARNING hm\n" {
		t.Errorf("logs before the result: %q", got)
	}
	ready, err := c.Ready(ctx)
	must(t, err)
	if ready.ImportUS != 7 || ready.Shape != "sync" {
		t.Errorf("ready arrived as %+v", ready)
	}
}

func TestLoadAndInvokeAreOneWrite(t *testing.T) {
	a, b := net.Pipe()
	w := &countingConn{Conn: a}
	c := New(w, Options{})
	defer c.Close()
	go func() { _, _ = io.Copy(io.Discard, b) }()
	must(t, c.Load(Load{Function: "f"}, nil))
	_, err := c.Invoke(Invoke{ID: "1"}, []byte("1"))
	must(t, err)
	_, err = c.Invoke(Invoke{ID: "2"}, []byte("2"))
	must(t, err)
	if w.writes != 2 {
		t.Errorf("load, invoke, invoke took %d writes, want 2", w.writes)
	}
}

type countingConn struct {
	net.Conn
	writes int
}

func (c *countingConn) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

func TestLoadErrorReachesEverybody(t *testing.T) {
	c, s := pair(t, Options{})
	go func() {
		s.send(helloFrame)
		s.expect(TypeLoad)
		s.expect(TypeInvoke)
		s.send(Frame{Type: TypeError, Head: []byte(`{"kind":"import","type":"SyntaxError","message":"bad","trace":"T"}`)})
		s.c.Close()
	}()
	ctx := within(t)
	must(t, c.Load(Load{}, nil))
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	_, _, _, err = st.Result(ctx)
	var e *Error
	if !errors.As(err, &e) || e.Kind != ErrorImport || e.Code() != hearth.CodeFunctionError || e.Hearth().Hint == "" {
		t.Errorf("result: %v", err)
	}
	<-c.Done()
	if _, err := c.Ready(ctx); !errors.As(err, &e) {
		t.Errorf("ready: %v", err)
	}
	if _, err := c.Invoke(Invoke{ID: "2"}, nil); !errors.As(err, &e) {
		t.Errorf("invoke: %v", err)
	}
}

func TestStreamedReplyWaitsForCredit(t *testing.T) {
	c, s := loaded(t, Options{})
	const total = 2 << 20
	go func() {
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Flags: FlagStream, Stream: inv.Stream, Body: []byte("first")})
		credit := InitialCredit
		for sent := 0; sent < total; {
			n := min(MaxChunk, total-sent)
			for credit < n {
				var head struct{ Bytes int }
				if json.Unmarshal(s.expect(TypeCredit).Head, &head) != nil || head.Bytes <= 0 {
					t.Error("credit without bytes")
					return
				}
				credit += head.Bytes
			}
			s.send(Frame{Type: TypeChunk, Stream: inv.Stream, Body: make([]byte, n)})
			credit -= n
			sent += n
		}
		s.send(Frame{Type: TypeChunk, Flags: FlagEnd, Stream: inv.Stream})
	}()
	ctx := within(t)
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	_, body, more, err := st.Result(ctx)
	if err != nil || string(body) != "first" || !more {
		t.Fatalf("result: %q %v %v", body, more, err)
	}
	got := 0
	for {
		p, err := st.Chunk(ctx)
		if err == io.EOF {
			break
		}
		must(t, err)
		got += len(p)
	}
	if got != total {
		t.Errorf("got %d bytes, want %d", got, total)
	}
}

func TestStreamThatBreaksGivesWhatCameAndThenTheError(t *testing.T) {
	c, s := loaded(t, Options{})
	go func() {
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Flags: FlagStream, Stream: inv.Stream})
		s.send(Frame{Type: TypeChunk, Stream: inv.Stream, Body: []byte("part")})
		s.send(Frame{Type: TypeError, Stream: inv.Stream, Head: []byte(`{"kind":"handler","type":"E","message":"no"}`)})
		s.c.Close()
	}()
	ctx := within(t)
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	<-c.Done()
	_, _, _, err = st.Result(ctx)
	must(t, err)
	if p, err := st.Chunk(ctx); string(p) != "part" || err != nil {
		t.Errorf("chunk: %q %v", p, err)
	}
	var e *Error
	if _, err := st.Chunk(ctx); !errors.As(err, &e) || e.Error() != "E: no" {
		t.Errorf("end: %v", err)
	}
}

func TestSlowConsumerHoldsUpNobody(t *testing.T) {
	c, s := loaded(t, Options{})
	go func() {
		slow := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Flags: FlagStream, Stream: slow.Stream})
		for range InitialCredit / MaxChunk {
			s.send(Frame{Type: TypeChunk, Stream: slow.Stream, Body: make([]byte, MaxChunk)})
		}
		fast := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Stream: fast.Stream, Body: []byte("ok")})
	}()
	slow, err := c.Invoke(Invoke{ID: "slow"}, nil)
	must(t, err)
	defer slow.Close()
	fast, err := c.Invoke(Invoke{ID: "fast"}, nil)
	must(t, err)
	if _, body, _, err := fast.Result(within(t)); string(body) != "ok" || err != nil {
		t.Errorf("fast: %q %v", body, err)
	}
}

func TestCancelGoesOnce(t *testing.T) {
	c, s := loaded(t, Options{})
	go func() {
		inv := s.expect(TypeInvoke)
		f := s.expect(TypeCancel)
		if f.Stream != inv.Stream || string(f.Head) != `{"reason":"client \"left\""}` {
			t.Errorf("cancel arrived as %+v %s", f, f.Head)
		}
		s.send(Frame{Type: TypePing, Body: []byte("x")})
		s.expect(TypePong)
		s.send(Frame{Type: TypeError, Stream: inv.Stream, Head: []byte(`{"kind":"cancelled"}`)})
	}()
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	must(t, st.Cancel(`client "left"`))
	must(t, st.Cancel("again"))
	var e *Error
	if _, _, _, err := st.Result(within(t)); !errors.As(err, &e) || e.Code() != hearth.CodeCancelled {
		t.Errorf("result: %v", err)
	}
	must(t, st.Cancel("too late"))
}

func TestPing(t *testing.T) {
	c, s := loaded(t, Options{})
	go func() {
		for range 2 {
			f := s.expect(TypePing)
			s.send(Frame{Type: TypePong, Body: f.Body})
		}
	}()
	must(t, c.Ping(within(t)))
	must(t, c.Ping(within(t)))
}

func TestResultGivesUpWithItsContext(t *testing.T) {
	c, s := loaded(t, Options{})
	go s.expect(TypeInvoke)
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, _, err := st.Result(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("result: %v", err)
	}
}

func TestCloseFreesThoseWhoWait(t *testing.T) {
	c, s := loaded(t, Options{})
	go s.expect(TypeInvoke)
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	errs := make(chan error)
	go func() { _, _, _, err := st.Result(t.Context()); errs <- err }()
	go func() { errs <- c.Ping(t.Context()) }()
	must(t, c.Close())
	must(t, c.Close())
	for range 2 {
		if err := <-errs; !errors.Is(err, ErrClosed) {
			t.Errorf("waiter got %v", err)
		}
	}
	if !errors.Is(c.Err(), ErrClosed) {
		t.Errorf("err is %v", c.Err())
	}
}

func TestSandboxThatDiesIsNoViolation(t *testing.T) {
	c, s := loaded(t, Options{})
	st := make(chan error, 1)
	go func() {
		i, err := c.Invoke(Invoke{ID: "1"}, nil)
		if err == nil {
			_, _, _, err = i.Result(t.Context())
		}
		st <- err
	}()
	s.expect(TypeInvoke)
	s.c.Close()
	if err := <-st; !errors.Is(err, io.EOF) || errors.Is(err, ErrProtocol) {
		t.Errorf("result: %v", err)
	}
}

// TestInvokeHeads compares the encoder by hand with what a decoder sees.
func TestInvokeHeads(t *testing.T) {
	for _, in := range []Invoke{
		{ID: "01J", Kind: KindJSON, DeadlineMS: 12},
		{ID: "a\"\\\n\x00é\xff", Kind: "json", Trace: "00-ab"},
		{ID: "h", Kind: KindHTTP, DeadlineMS: -1, HTTP: &hearth.HTTPRequest{
			Method: "GET", Path: "/ä b", RawPath: "/%C3%A4", RawQuery: `a="<>&`, Host: "h", Scheme: "https", Protocol: "HTTP/1.1",
			SourceIP: "::1", Route: "$default", Headers: map[string][]string{"x-a": {"1", "2"}, "x-b": {}, "x-c": {"\u2028"}},
		}},
		{ID: "e", Kind: KindHTTP, HTTP: &hearth.HTTPRequest{}},
	} {
		var got, want map[string]any
		must(t, json.Unmarshal(in.appendJSON(nil), &got))
		ref, err := json.Marshal(in)
		must(t, err)
		must(t, json.Unmarshal(ref, &want))
		if h, ok := want["http"].(map[string]any); ok && h["headers"] == nil {
			h["headers"] = map[string]any{} // shims needn't know null
		}
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(want)
		if !bytes.Equal(a, b) {
			t.Errorf("head is\n%s, want\n%s", a, b)
		}
	}
}

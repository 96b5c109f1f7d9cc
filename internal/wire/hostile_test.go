package wire

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestHostileFrames sends what a shim must not, at the moment that is named,
// and wants the connection to end for it.
func TestHostileFrames(t *testing.T) {
	result := Frame{Type: TypeResult, Stream: 1}
	stream := Frame{Type: TypeResult, Flags: FlagStream, Stream: 1}
	chunk := func(n int) Frame { return Frame{Type: TypeChunk, Stream: 1, Body: make([]byte, n)} }
	end := Frame{Type: TypeChunk, Flags: FlagEnd, Stream: 1}
	head := func(typ Type, head string) Frame { return Frame{Type: typ, Head: []byte(head)} }
	full := []Frame{stream, chunk(MaxChunk), chunk(MaxChunk), chunk(MaxChunk), chunk(MaxChunk)}

	for name, c := range map[string]struct {
		phase  string // "start", "stem", "loading" or "invoked"
		frames []Frame
		why    string
	}{
		"result before hello":      {"start", []Frame{result}, "before hello"},
		"log before hello":         {"start", []Frame{head(TypeLog, `{"fd":1}`)}, "before hello"},
		"ping before hello":        {"start", []Frame{{Type: TypePing}}, "before hello"},
		"other version":            {"start", []Frame{head(TypeHello, `{"protocol":2}`)}, "version 2"},
		"hello without head":       {"start", []Frame{{Type: TypeHello}}, "version 0"},
		"hello of wrong types":     {"start", []Frame{head(TypeHello, `{"protocol":"1"}`)}, "hello"},
		"second hello":             {"stem", []Frame{helloFrame}, "second hello"},
		"ready of a stem cell":     {"stem", []Frame{readyFrame}, "answers no load"},
		"error of a stem cell":     {"stem", []Frame{head(TypeError, `{"kind":"import"}`)}, "answers no load"},
		"pong for nothing":         {"stem", []Frame{{Type: TypePong, Body: make([]byte, 8)}}, "answers no ping"},
		"load":                     {"stem", []Frame{{Type: TypeLoad}}, "from a sandbox"},
		"invoke":                   {"stem", []Frame{{Type: TypeInvoke, Stream: 1}}, "from a sandbox"},
		"credit":                   {"invoked", []Frame{{Type: TypeCredit, Stream: 1}}, "from a sandbox"},
		"cancel":                   {"invoked", []Frame{{Type: TypeCancel, Stream: 1}}, "from a sandbox"},
		"unknown type":             {"stem", []Frame{{Type: 77}}, "unknown frame type"},
		"unknown shape":            {"loading", []Frame{head(TypeReady, `{"shape":"magic"}`)}, "shape"},
		"result before ready":      {"loading", []Frame{result}, "before ready"},
		"second ready":             {"invoked", []Frame{readyFrame}, "answers no load"},
		"frame after load error":   {"loading", []Frame{head(TypeError, `{"kind":"import"}`), {Type: TypePing}}, "after the function failed"},
		"result twice":             {"invoked", []Frame{stream, stream}, "second result"},
		"result after the end":     {"invoked", []Frame{result, result}, "isn't open"},
		"error after the end":      {"invoked", []Frame{result, {Type: TypeError, Stream: 1}}, "isn't open"},
		"unknown stream":           {"invoked", []Frame{{Type: TypeResult, Stream: 2}}, "isn't open"},
		"error of unknown stream":  {"invoked", []Frame{{Type: TypeError, Stream: 9}}, "isn't open"},
		"log of unknown stream":    {"invoked", []Frame{{Type: TypeLog, Stream: 2, Head: []byte(`{"fd":1}`)}}, "never opened"},
		"log of descriptor 7":      {"invoked", []Frame{head(TypeLog, `{"fd":7}`)}, "descriptor 7"},
		"chunk before result":      {"invoked", []Frame{chunk(1)}, "without a result that streams"},
		"chunk of a whole reply":   {"invoked", []Frame{result, chunk(1)}, "isn't open"},
		"chunk after the end":      {"invoked", []Frame{stream, end, chunk(1)}, "isn't open"},
		"chunk over credit":        {"invoked", append(full, chunk(1)), "0 of credit"},
		"status out of range":      {"invoked", []Frame{{Type: TypeResult, Stream: 1, Head: []byte(`{"status":99}`)}}, "status 99"},
		"status of another type":   {"invoked", []Frame{{Type: TypeResult, Stream: 1, Head: []byte(`{"status":"200"}`)}}, "head of a result"},
		"head that is a list":      {"invoked", []Frame{{Type: TypeResult, Stream: 1, Head: []byte(`[]`)}}, "not a JSON object"},
		"head on a chunk, no JSON": {"invoked", []Frame{stream, {Type: TypeChunk, Stream: 1, Head: []byte(`{x`)}}, "not a JSON object"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, s := pair(t, Options{})
			go func() {
				if c.phase != "start" {
					s.send(helloFrame)
				}
				if c.phase == "loading" || c.phase == "invoked" {
					s.expect(TypeLoad)
				}
				if c.phase == "invoked" {
					s.send(readyFrame)
					s.expect(TypeInvoke)
				}
				for _, f := range c.frames {
					if _, err := s.c.Write(f.AppendTo(nil)); err != nil {
						return // cut off at this frame's header
					}
				}
			}()
			switch c.phase {
			case "loading":
				must(t, conn.Load(Load{}, nil))
				must(t, conn.flushLoad())
			case "invoked":
				must(t, conn.Load(Load{}, nil))
				_, err := conn.Ready(within(t))
				must(t, err)
				_, err = conn.Invoke(Invoke{ID: "1"}, nil)
				must(t, err)
			}
			select {
			case <-conn.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("the connection lives on")
			}
			if err := conn.Err(); !errors.Is(err, ErrProtocol) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("ended with %v, want %s", err, c.why)
			}
		})
	}
}

func TestGoldenViolationsEndTheConnection(t *testing.T) {
	for name, g := range goldens(t) {
		if g.Frame != nil || g.Invalid == "cut off" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c, s := loaded(t, Options{})
			_, _ = s.c.Write(g.bytes(t))
			<-c.Done()
			if !errors.Is(c.Err(), ErrProtocol) {
				t.Errorf("ended with %v, want %s", c.Err(), g.Invalid)
			}
		})
	}
}

func TestOneByteChunksStayWithinTheirCredit(t *testing.T) {
	c, s := loaded(t, Options{})
	const n = 40_000
	go func() {
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Flags: FlagStream, Stream: inv.Stream})
		one := Frame{Type: TypeChunk, Stream: inv.Stream, Body: []byte("x")}.AppendTo(nil)
		_, _ = s.c.Write(bytes.Repeat(one, n))
		_, _ = s.c.Write(bytes.Repeat(Frame{Type: TypeChunk, Stream: inv.Stream}.AppendTo(nil), n))
		s.send(Frame{Type: TypePing})
		s.expect(TypePong)
		s.c.Close()
	}()
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	<-c.Done()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(st.buf) != n || cap(st.buf) > 2*InitialCredit {
		t.Errorf("%d chunks are held as %d bytes of %d", n, len(st.buf), cap(st.buf))
	}
}

func TestClosedStreamHoldsNothingAndIsStillChecked(t *testing.T) {
	c, s := loaded(t, Options{})
	go func() {
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Flags: FlagStream, Stream: inv.Stream, Body: []byte("body")})
		for range InitialCredit / MaxChunk {
			s.send(Frame{Type: TypeChunk, Stream: inv.Stream, Body: make([]byte, MaxChunk)})
		}
		_, _ = s.c.Write(Frame{Type: TypeChunk, Stream: inv.Stream, Body: []byte("x")}.AppendTo(nil))
	}()
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	st.Close()
	<-c.Done()
	if !errors.Is(c.Err(), ErrProtocol) || st.buf != nil || st.body != nil {
		t.Errorf("ended with %v, holding %d and %d bytes", c.Err(), len(st.buf), len(st.body))
	}
}

func TestLateOutputBelongsToNoInvocation(t *testing.T) {
	got := make(chan uint32, 1)
	c, s := loaded(t, Options{OnLog: func(stream uint32, _ Log, _ []byte) { got <- stream }})
	go func() {
		inv := s.expect(TypeInvoke)
		s.send(Frame{Type: TypeResult, Stream: inv.Stream})
		s.send(Frame{Type: TypeLog, Stream: inv.Stream, Head: []byte(`{"fd":1}`), Body: []byte("late\n")})
	}()
	_, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	if stream := <-got; stream != 0 {
		t.Errorf("late output came for stream %d", stream)
	}
}

func TestPingFloodIsCutOff(t *testing.T) {
	c, s := loaded(t, Options{})
	// The shim never reads, so no pong gets through.
	_, _ = s.c.Write(bytes.Repeat(Frame{Type: TypePing}.AppendTo(nil), 1000))
	<-c.Done()
	if !errors.Is(c.Err(), ErrProtocol) {
		t.Errorf("ended with %v", c.Err())
	}
}

func TestShimThatNeverReadsBlocksNoControl(t *testing.T) {
	c, s := loaded(t, Options{})
	ids := make(chan uint32, 1)
	go func() { ids <- s.expect(TypeInvoke).Stream }()
	st, err := c.Invoke(Invoke{ID: "1"}, nil)
	must(t, err)
	<-ids
	must(t, st.Cancel("timeout"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Ping(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ping: %v", err)
	}
	must(t, c.Close())
	<-c.Done()
}

// TestAnnouncedBodyIsNotAllocated says 16 MiB and sends nothing.
func TestAnnouncedBodyIsNotAllocated(t *testing.T) {
	before := allocated()
	for range 16 {
		r := bufio.NewReader(bytes.NewReader(appendHeader(nil, TypeResult, 0, 1, 0, DefaultMaxBody)))
		if _, err := ReadFrame(r, DefaultMaxBody); err != io.ErrUnexpectedEOF {
			t.Fatal(err)
		}
	}
	if got := allocated() - before; got > 17*eager {
		t.Errorf("16 empty promises of 16 MiB cost %d bytes", got)
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func FuzzReadFrame(f *testing.F) {
	for _, g := range goldens(f) {
		f.Add(g.bytes(f))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		frame, err := ReadFrame(bufio.NewReader(bytes.NewReader(raw)), 1<<16)
		if err != nil {
			return
		}
		if again := frame.AppendTo(nil); !bytes.HasPrefix(raw, again) {
			t.Errorf("%x was read and written as %x", raw, again)
		}
	})
}

// FuzzConn plays a shim that sends any bytes at all. Whatever they are, the
// connection ends when they do, and holds no more than its bounds.
func FuzzConn(f *testing.F) {
	all := goldens(f)
	hello, ready := helloFrame.AppendTo(nil), readyFrame.AppendTo(nil)
	var every []byte
	for _, g := range all {
		f.Add(append(append(bytes.Clone(hello), ready...), g.bytes(f)...))
		every = append(every, g.bytes(f)...)
	}
	f.Add(every)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, b := net.Pipe()
		c := New(a, Options{MaxBody: 1 << 16})
		defer c.Close()
		go func() { _, _ = io.Copy(io.Discard, b) }()
		must(t, c.Load(Load{}, nil))
		must(t, c.flushLoad())
		var streams []*Stream
		for range 3 {
			s, err := c.Invoke(Invoke{ID: "x"}, nil)
			must(t, err)
			streams = append(streams, s)
		}
		_, _ = b.Write(raw)
		b.Close()
		<-c.Done()
		if c.Err() == nil {
			t.Error("the connection ended without a reason")
		}
		ctx := t.Context()
		for _, s := range streams {
			_, body, more, err := s.Result(ctx)
			held := len(body)
			for err == nil && more {
				var p []byte
				p, err = s.Chunk(ctx)
				held += len(p)
			}
			if held > 1<<16+InitialCredit {
				t.Errorf("a stream held %d bytes", held)
			}
		}
	})
}

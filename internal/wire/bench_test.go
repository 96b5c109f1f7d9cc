package wire

import (
	"bufio"
	"net"
	"path/filepath"
	"testing"

	"hearth"
)

// BenchmarkRoundTrip is the engine's half of a warm call: over a unix socket,
// to a peer that answers at once.
func BenchmarkRoundTrip(b *testing.B) {
	http := &hearth.HTTPRequest{
		Method: "POST", Path: "/hello", RawPath: "/fn/hello/hello", Headers: map[string][]string{
			"content-type": {"application/json"}, "user-agent": {"curl/7.88.1"}, "accept": {"*/*"}, "content-length": {"20"},
		}, Host: "localhost:8080", Scheme: "http", Protocol: "HTTP/1.1", SourceIP: "127.0.0.1", Route: "$default",
	}
	for name, c := range map[string]struct {
		invoke Invoke
		body   int
	}{
		"json":   {Invoke{ID: "01JDABCDEF0123456789ABCDEF", Kind: KindJSON, DeadlineMS: 1732378010123}, 64},
		"http":   {Invoke{ID: "01JDABCDEF0123456789ABCDEF", Kind: KindHTTP, DeadlineMS: 1732378010123, HTTP: http}, 64},
		"json1M": {Invoke{ID: "01JDABCDEF0123456789ABCDEF", Kind: KindJSON, DeadlineMS: 1732378010123}, 1 << 20},
	} {
		b.Run(name, func(b *testing.B) {
			conn := echoing(b)
			body := make([]byte, c.body)
			b.ReportAllocs()
			for b.Loop() {
				s, err := conn.Invoke(c.invoke, body)
				if err != nil {
					b.Fatal(err)
				}
				if _, _, _, err := s.Result(b.Context()); err != nil {
					b.Fatal(err)
				}
				s.Close()
			}
		})
	}
}

// echoing returns a loaded Conn to a peer that allocates nothing of note.
func echoing(b *testing.B) *Conn {
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		peer, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			return
		}
		defer peer.Close()
		r := bufio.NewReader(peer)
		out := readyFrame.AppendTo(helloFrame.AppendTo(nil))
		head := []byte(`{"status":200,"headers":{"content-type":["application/json"]},"handler_us":12}`)
		var scratch []byte
		for {
			f, err := ReadFrame(r, DefaultMaxBody)
			if err != nil {
				return
			}
			if f.Type == TypeInvoke {
				out = Frame{Type: TypeResult, Stream: f.Stream, Head: head, Body: f.Body}.AppendTo(scratch[:0])
				scratch = out
			}
			if _, err := peer.Write(out); err != nil {
				return
			}
		}
	}()
	peer, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	c := New(peer, Options{})
	b.Cleanup(func() { c.Close(); <-c.Done() })
	if err := c.Load(Load{}, nil); err != nil {
		b.Fatal(err)
	}
	if _, err := c.Ready(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c
}

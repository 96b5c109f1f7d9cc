package wire

import (
	"context"
	"fmt"
	"io"
)

// giveBack is how much a consumer has read before credit goes back: often
// enough for a quarter of the window, seldom enough to cost nothing.
const giveBack = InitialCredit / 4

// Stream is one invocation. Result and Chunk are for one goroutine; Cancel and
// Close may be called from any. Its fields belong to Conn.mu.
type Stream struct {
	c    *Conn
	id   uint32
	wake chan struct{} // holds a token when something changed

	got      bool // result came
	result   Result
	body     []byte // of the result
	more     bool   // chunks follow it
	buf      []byte // chunks that came and were not taken
	credit   int    // bytes that the shim may still send
	owed     int    // bytes taken and not given back
	ended    bool
	err      error // with ended: what the shim said
	closed   bool
	canceled bool
}

// ID is the number of the stream on the wire, as OnLog gets it.
func (s *Stream) ID() uint32 { return s.id }

// Result waits for the beginning of the reply. More says that chunks follow
// body. The error is an *[Error] if the function failed, else what ended the
// connection or ctx. When it returns, all output that the shim sent before was
// given to OnLog.
func (s *Stream) Result(ctx context.Context) (r Result, body []byte, more bool, err error) {
	err = s.await(ctx, func() (bool, error) {
		switch {
		case s.got:
			r, body, more = s.result, s.body, s.more
			return true, nil
		case s.ended:
			return true, s.err
		}
		return false, nil
	})
	return r, body, more, err
}

// Chunk waits for more of the reply. Chunks that came together are returned
// together. It returns io.EOF at the end and an *[Error] if the function failed
// half-way. What it returns is the caller's.
func (s *Stream) Chunk(ctx context.Context) (p []byte, err error) {
	err = s.await(ctx, func() (bool, error) {
		switch {
		case len(s.buf) > 0:
			p = s.take()
			return true, nil
		case s.ended && s.err != nil:
			return true, s.err
		case s.ended:
			return true, io.EOF
		}
		return false, nil
	})
	return p, err
}

// await calls look, under the lock, until it is satisfied. What came before the
// connection ended still counts.
func (s *Stream) await(ctx context.Context, look func() (bool, error)) error {
	for {
		over := false
		select {
		case <-s.c.done:
			over = true
		default:
		}
		s.c.mu.Lock()
		ok, err := look()
		end := s.c.err
		s.c.mu.Unlock()
		switch {
		case ok:
			return err
		case over:
			return fmt.Errorf("wait for stream %d: %w", s.id, end)
		}
		select {
		case <-s.wake:
		case <-s.c.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take returns what is buffered and gives credit back. mu is held.
func (s *Stream) take() []byte {
	p := s.buf
	s.buf = nil
	s.owed += len(p)
	if s.owed >= giveBack && !s.ended && !s.closed {
		s.c.post(Frame{Type: TypeCredit, Stream: s.id, Head: creditHead(s.owed)})
		s.credit += s.owed
		s.owed = 0
	}
	return p
}

// Cancel asks the shim to end the invocation, once; the answer comes by Result
// or Chunk. It doesn't wait.
func (s *Stream) Cancel(reason string) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.err != nil {
		return s.c.err
	}
	if s.ended || s.canceled {
		return nil
	}
	s.canceled = true
	head := append([]byte(`{"reason":`), appendString(nil, reason)...)
	s.c.post(Frame{Type: TypeCancel, Stream: s.id, Head: append(head, '}')})
	return nil
}

// Close says that nobody will read the stream any more. The invocation goes
// on: what it still sends is checked and dropped, and it gets no more credit.
func (s *Stream) Close() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closed = true
	s.buf, s.body = nil, nil
}

// admit checks a reply frame's header against what the stream allows. mu is held.
func (s *Stream) admit(h header) error {
	switch h.typ {
	case TypeResult:
		if s.got {
			return violation("second result on stream %d", s.id)
		}
	case TypeChunk:
		if !s.more {
			return violation("chunk on stream %d without a result that streams", s.id)
		}
		if h.body > s.credit {
			return violation("chunk of %d bytes on stream %d with %d of credit", h.body, s.id, s.credit)
		}
	}
	return nil
}

func (s *Stream) gotResult(r Result, body []byte, more bool) {
	s.got, s.result, s.more = true, r, more
	if !s.closed {
		s.body = body
	}
}

// gotChunk keeps a chunk. Small ones are put together, so that what a stream
// holds is bounded by its credit and not by how finely the shim cuts it.
func (s *Stream) gotChunk(p []byte) {
	s.credit -= len(p)
	switch {
	case s.closed:
	case len(s.buf) == 0:
		s.buf = p
	default:
		s.buf = append(s.buf, p...)
	}
}

func (s *Stream) finish() {
	s.ended = true
	s.signal()
}

func (s *Stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

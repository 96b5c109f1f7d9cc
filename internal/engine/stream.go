package engine

import (
	"context"
	"io"
	"sync"
	"time"

	"hearth"
)

// stream is the body of a reply that comes in chunks. Reading it gives the
// function credit, so a slow reader slows the function and holds nothing.
//
// It ends once, by whatever comes first: its last byte, a failure, Close, or
// the call's context (the function's time, or its caller).
type stream struct {
	c        *call
	ctx      context.Context // of the invocation
	done     context.CancelFunc
	reading  context.Context // ends with ctx or by Close, and frees a Read that waits
	stopRead context.CancelFunc
	unwatch  func()

	mu   sync.Mutex // held while Read waits
	buf  []byte
	over error // what Read says after the end, io.EOF if all came; nil before
}

func (c *call) stream(ctx context.Context, done context.CancelFunc, first []byte) *stream {
	s := &stream{c: c, ctx: ctx, done: done, buf: first}
	s.reading, s.stopRead = context.WithCancel(ctx)
	c.inv.ReplyBytes = int64(len(first))
	c.answer.add(first)
	// Nobody may be reading when the time is up, or the engine stops.
	s.mu.Lock()
	defer s.mu.Unlock()
	late := context.AfterFunc(ctx, func() { s.abort(ctx.Err()) })
	stop := context.AfterFunc(c.e.ctx, func() { s.abort(context.Canceled) })
	s.unwatch = func() { late(); stop() }
	return s
}

func (s *stream) abort(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(s.ctx, err)
}

// Read waits for bytes of the function, at most the limit for silence. An
// error other than io.EOF is a *hearth.Error, or io.ErrClosedPipe after Close.
func (s *stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	for len(s.buf) == 0 {
		if s.over != nil {
			return 0, s.over
		}
		if err := s.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

// fetch waits for the next chunk. mu is held.
func (s *stream) fetch() error {
	ctx, cancel := context.WithTimeoutCause(s.reading, s.c.pool.v.Config.Limits.IdleChunk.Std(), errIdle)
	defer cancel()
	p, err := s.c.x.Chunk(ctx)
	switch {
	case err == nil:
		s.buf = p
		s.c.inv.ReplyBytes += int64(len(p))
		s.c.answer.add(p)
		return nil
	case err == io.EOF: //nolint:errorlint // wrapped, it is the end of the wire and not of the stream
		s.finished()
	case s.reading.Err() != nil && s.ctx.Err() == nil:
		return io.ErrClosedPipe // Close takes it from here
	default:
		s.fail(ctx, err)
	}
	return s.over
}

// finished ends a stream that is complete. mu is held.
func (s *stream) finished() {
	s.c.inv.Phases.Reply = hearth.Duration(time.Since(s.c.handling))
	s.cease(io.EOF)
	s.c.finishLater()
}

// fail ends a stream that broke. mu is held.
func (s *stream) fail(ctx context.Context, err error) {
	if s.over != nil {
		return
	}
	s.c.inv.Phases.Reply = hearth.Duration(time.Since(s.c.handling))
	// Ceasing ends ctx, which says why it failed: that comes last.
	s.cease(s.c.failed(ctx, err))
}

func (s *stream) cease(why error) {
	s.over = why
	s.unwatch()
	s.stopRead()
	s.done()
}

// Close ends the invocation if it isn't over: its caller has seen enough. Where
// the function is configured to finish, the rest of the stream is read and
// dropped.
func (s *stream) Close() error {
	s.stopRead()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over != nil:
	case s.c.pool.v.Config.OnDisconnect == hearth.DisconnectFinish:
		s.reading, s.stopRead = context.WithCancel(s.ctx)
		s.c.background(func() { _, _ = io.Copy(io.Discard, s) })
	default:
		s.c.inv.Phases.Reply = hearth.Duration(time.Since(s.c.handling))
		s.cease(io.ErrClosedPipe)
		s.c.interrupt("disconnect", hearth.Errorf(hearth.CodeCancelled, "the caller closed the reply before its end"))
	}
	return nil
}

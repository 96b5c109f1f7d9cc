package wire

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"
)

// Options of a Conn.
type Options struct {
	// MaxBody is the most bytes that a body may have, either way. 0 is
	// DefaultMaxBody.
	MaxBody int

	// OnLog gets the output that comes by wire, in order, from the reading
	// goroutine, before the result that follows it. Stream is 0 for output
	// that belongs to no invocation or to one that has ended. Body is only
	// valid during the call. While it runs nothing else of this connection is
	// read, so it must not wait, nor call methods that wait for the sandbox.
	OnLog func(stream uint32, l Log, body []byte)
}

const (
	readBuffer   = 16 << 10
	keepBuffer   = 64 << 10               // a larger write buffer is given back
	inlineBody   = 32 << 10               // larger bodies are not copied into the write buffer
	maxPongs     = 8                      // pings of a shim that may wait for their pong
	drainTimeout = 100 * time.Millisecond // to read what a dying sandbox still said
)

// Conn is the engine's end of one wire. All methods may be called
// concurrently. One goroutine reads until the connection ends; it never waits
// for a consumer, because credit bounds what a stream can hold.
type Conn struct {
	c       net.Conn
	maxBody int
	onLog   func(uint32, Log, []byte)
	done    chan struct{} // closed when the reader has ended

	// wmu is held for a write. It is taken before mu.
	wmu  sync.Mutex
	wbuf []byte

	mu      sync.Mutex
	err     error       // why it ended; set once
	werr    error       // writing failed: a frame may be cut, so nothing can follow
	queued  *queuedLoad // load that no write has taken along yet
	greeted bool        // hello came
	hello   Hello
	phase   phase
	ready   Ready
	loadErr *Error             // the shim's answer to load, if it failed
	streams map[uint32]*Stream // not ended
	next    uint32             // id of the next invocation

	helloed chan struct{} // closed after hello
	loaded  chan struct{} // closed after ready or loadErr

	control  []byte // credit, cancel, ping and pong frames to be written
	flushing bool   // a goroutine is about to write control
	pongs    int    // pongs in control

	pinged, ponged uint64
	pings          map[uint64]chan struct{}

	scratch []byte // of the reader: bodies that don't outlive their frame
}

type queuedLoad struct {
	head, body []byte
}

// phase is how far a stem cell is from being a function.
type phase int

const (
	phaseStem    phase = iota // no function yet
	phaseQueued               // load is queued
	phaseLoading              // load is sent
	phaseReady                // ready came
	phaseFailed               // error came instead
)

// New takes over c and starts to read.
func New(c net.Conn, o Options) *Conn {
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.OnLog == nil {
		o.OnLog = func(uint32, Log, []byte) {}
	}
	w := &Conn{
		c: c, maxBody: o.MaxBody, onLog: o.OnLog,
		done: make(chan struct{}), helloed: make(chan struct{}), loaded: make(chan struct{}),
		streams: map[uint32]*Stream{}, next: 1,
	}
	go w.read()
	return w
}

// Done is closed when the connection has ended and nothing more will be
// delivered.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err says why the connection ended, nil while it lives: [ErrClosed],
// [ErrProtocol], io.EOF when the sandbox closed it between two frames, or what
// the stream reported.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection, and with it the shim. It may be called any number
// of times and frees every call that waits.
func (c *Conn) Close() error {
	c.fail(ErrClosed)
	return nil
}

// fail ends the connection for the first reason given.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
	}
	c.mu.Unlock()
	// What Close of a stream reports can't be acted on: it is given up.
	_ = c.c.Close()
}

// Hello waits for the shim's first words.
func (c *Conn) Hello(ctx context.Context) (Hello, error) {
	if err := c.wait(ctx, c.helloed); err != nil {
		return Hello{}, fmt.Errorf("wait for hello: %w", err)
	}
	return c.hello, nil
}

// wait returns when ch is closed, which counts even if the connection has
// ended since.
func (c *Conn) wait(ctx context.Context, ch <-chan struct{}) error {
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
	}
	select {
	case <-ch:
		return nil
	default:
		return c.Err()
	}
}

// Load queues the load frame: the next Invoke takes it along in the same
// write, or Ready sends it. It is called once. The body is kept until then.
func (c *Conn) Load(l Load, body []byte) error {
	if len(body) > c.maxBody {
		return fmt.Errorf("load: a bundle of %d bytes is over the wire's limit of %d", len(body), c.maxBody)
	}
	head, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	if len(head) > MaxHead {
		return fmt.Errorf("load: head of %d bytes is over the wire's limit", len(head))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase >= phaseQueued {
		return errors.New("load: the sandbox was given its function before")
	}
	if c.err != nil {
		return c.err
	}
	c.queued = &queuedLoad{head, body}
	c.phase = phaseQueued
	return nil
}

// Ready sends the load frame if it is still queued and waits for the shim's
// answer. A function that doesn't load gives an *[Error]. It may be called
// again and gives the same answer.
func (c *Conn) Ready(ctx context.Context) (Ready, error) {
	if err := c.flushLoad(); err != nil {
		return Ready{}, err
	}
	if err := c.wait(ctx, c.loaded); err != nil {
		return Ready{}, fmt.Errorf("wait for ready: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loadErr != nil {
		return Ready{}, c.loadErr
	}
	return c.ready, nil
}

func (c *Conn) flushLoad() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.mu.Lock()
	sent := c.phase >= phaseLoading
	c.mu.Unlock()
	if sent {
		return nil
	}
	load, err := c.takeLoad()
	if err != nil {
		return err
	}
	return c.writeLoad(load, nil, nil)
}

// takeLoad returns the queued load for a write that follows at once, nil if it
// was sent before.
func (c *Conn) takeLoad() (*queuedLoad, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.loadErr != nil:
		return nil, c.loadErr
	case c.err != nil:
		return nil, c.err
	case c.werr != nil:
		return nil, c.werr
	case c.phase == phaseStem:
		return nil, errors.New("the sandbox has no function: call Load first")
	case c.queued == nil:
		return nil, nil
	}
	load := c.queued
	c.queued = nil
	c.phase = phaseLoading
	return load, nil
}

// Invoke starts one invocation: it sends the load frame if that is still
// queued and the invoke frame, in one write. It waits for the sandbox to take
// the bytes, not for an answer. The caller must Close the Stream in the end.
func (c *Conn) Invoke(i Invoke, body []byte) (*Stream, error) {
	if len(body) > c.maxBody {
		return nil, fmt.Errorf("invoke: a body of %d bytes is over the wire's limit of %d", len(body), c.maxBody)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	b := i.appendJSON(append(c.wbuf[:0], make([]byte, headerSize)...))
	c.keep(b)
	head := len(b) - headerSize
	if head > MaxHead {
		return nil, fmt.Errorf("invoke: head of %d bytes is over the wire's limit", head)
	}
	load, err := c.takeLoad()
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	s, err := c.open()
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	appendHeader(b[:0], TypeInvoke, 0, s.id, head, len(body))
	if load != nil {
		err = c.writeLoad(load, b, body)
	} else {
		err = c.writeWith(b, body)
	}
	if err != nil {
		return nil, fmt.Errorf("invoke: %w", err)
	}
	return s, nil
}

// open makes the next stream. Nothing may fail between it and the write.
func (c *Conn) open() (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.loadErr != nil:
		return nil, c.loadErr
	case c.next == 0:
		return nil, errors.New("the wire has used up its stream ids")
	}
	s := &Stream{c: c, id: c.next, credit: InitialCredit, wake: make(chan struct{}, 1)}
	c.streams[s.id] = s
	c.next++
	return s, nil
}

// writeLoad sends a load frame, then b and body. wmu is held.
func (c *Conn) writeLoad(load *queuedLoad, b, body []byte) error {
	small := len(load.body) <= inlineBody && len(body) <= inlineBody
	if small {
		f := Frame{Type: TypeLoad, Head: load.head, Body: load.body}
		all := append(append(f.AppendTo(nil), b...), body...)
		_, err := c.c.Write(all)
		return c.wrote(err)
	}
	head := appendHeader(nil, TypeLoad, 0, 0, len(load.head), len(load.body))
	head = append(head, load.head...)
	return c.write(net.Buffers{head, load.body, b, body})
}

// writeWith sends b, which is wbuf's memory, and body. wmu is held.
func (c *Conn) writeWith(b, body []byte) error {
	if len(body) > inlineBody {
		return c.write(net.Buffers{b, body})
	}
	b = append(b, body...)
	c.keep(b)
	_, err := c.c.Write(b)
	return c.wrote(err)
}

func (c *Conn) keep(b []byte) {
	if cap(b) <= keepBuffer {
		c.wbuf = b
	}
}

func (c *Conn) write(bufs net.Buffers) error {
	_, err := bufs.WriteTo(c.c)
	return c.wrote(err)
}

// wrote notes a failed write. The reader gets a moment to read what the
// sandbox said before it went, then the connection ends.
func (c *Conn) wrote(err error) error {
	if err == nil {
		return nil
	}
	err = fmt.Errorf("write to the sandbox: %w", err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.werr == nil {
		c.werr = err
	}
	if c.c.SetReadDeadline(time.Now().Add(drainTimeout)) != nil {
		_ = c.c.Close()
	}
	return err
}

// post queues a frame without a body limit worth naming and sees that it is
// written without the caller waiting. mu is held.
func (c *Conn) post(f Frame) {
	c.control = f.AppendTo(c.control)
	if !c.flushing {
		c.flushing = true
		go c.flush()
	}
}

func (c *Conn) flush() {
	for {
		c.wmu.Lock()
		c.mu.Lock()
		b := c.control
		c.control, c.pongs = nil, 0
		if len(b) == 0 || c.err != nil || c.werr != nil {
			c.flushing = false
			c.mu.Unlock()
			c.wmu.Unlock()
			return
		}
		c.mu.Unlock()
		_, err := c.c.Write(b)
		_ = c.wrote(err) // the next look at werr ends the loop
		c.wmu.Unlock()
	}
}

// Ping asks the shim for a sign of life.
func (c *Conn) Ping(ctx context.Context) error {
	c.mu.Lock()
	if c.err != nil {
		defer c.mu.Unlock()
		return c.err
	}
	c.pinged++
	n := c.pinged
	ch := make(chan struct{})
	if c.pings == nil {
		c.pings = map[uint64]chan struct{}{}
	}
	c.pings[n] = ch
	c.post(Frame{Type: TypePing, Body: binary.BigEndian.AppendUint64(nil, n)})
	c.mu.Unlock()
	if err := c.wait(ctx, ch); err != nil {
		return fmt.Errorf("ping: %w", err)
	}
	return nil
}

// read is the reading goroutine.
func (c *Conn) read() {
	err := c.readAll(bufio.NewReaderSize(c.c, readBuffer))
	c.mu.Lock()
	if c.werr != nil && !errors.Is(err, ErrProtocol) {
		err = c.werr
	}
	c.mu.Unlock()
	c.fail(err)
	close(c.done)
}

func (c *Conn) readAll(r *bufio.Reader) error {
	for {
		h, err := readHeader(r, c.maxBody)
		if err != nil {
			return err
		}
		// The order is checked before memory is spent on the frame.
		if err := c.admit(h); err != nil {
			return err
		}
		head, free, err := readHead(r, h.head)
		if err != nil {
			return err
		}
		m, err := parse(h, head)
		free()
		if err != nil {
			return err
		}
		body, err := c.readBody(r, h)
		if err != nil {
			return err
		}
		if err := c.handle(h, m, body); err != nil {
			return err
		}
	}
}

// readHead returns the head in the reader's own buffer where it fits, to be
// read before free is called.
func readHead(r *bufio.Reader, n int) (head []byte, free func(), err error) {
	if n > r.Size() {
		head, err = readBytes(r, n, nil)
		return head, func() {}, err
	}
	head, err = r.Peek(n)
	if err == io.EOF { //nolint:errorlint // bufio returns it bare
		err = io.ErrUnexpectedEOF
	}
	return head, func() { _, _ = r.Discard(n) }, err
}

// readBody returns memory that the receiver may keep for results and chunks,
// and the reader's scratch for all else.
func (c *Conn) readBody(r *bufio.Reader, h header) ([]byte, error) {
	if h.typ == TypeResult || h.typ == TypeChunk {
		return readBytes(r, h.body, nil)
	}
	b, err := readBytes(r, h.body, c.scratch)
	if cap(b) > cap(c.scratch) {
		c.scratch = b
	}
	return b, err
}

// message is a parsed head; the one that the type has is set.
type message struct {
	hello  Hello
	ready  Ready
	result Result
	err    *Error
	log    Log
}

func parse(h header, head []byte) (m message, err error) {
	switch h.typ {
	case TypeHello:
		err = decodeHead(h.typ, head, &m.hello)
	case TypeReady:
		if err = decodeHead(h.typ, head, &m.ready); err == nil {
			m.ready, err = m.ready.check()
		}
	case TypeResult:
		if err = decodeHead(h.typ, head, &m.result); err == nil {
			err = m.result.check()
		}
	case TypeError:
		var e Error
		err = decodeHead(h.typ, head, &e)
		m.err = e.bounded()
	case TypeLog:
		if err = decodeHead(h.typ, head, &m.log); err == nil {
			m.log, err = m.log.check()
		}
	default:
		err = checkHead(head)
	}
	return m, err
}

// admit checks a header against what is allowed now.
func (c *Conn) admit(h header) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch h.typ {
	case TypeLoad, TypeInvoke, TypeCredit, TypeCancel:
		return violation("%s frame from a sandbox", h.typ)
	case TypeHello:
		if c.greeted {
			return violation("second hello")
		}
		return nil
	}
	if !c.greeted {
		return violation("%s frame before hello", h.typ)
	}
	if c.phase == phaseFailed {
		return violation("%s frame after the function failed to load", h.typ)
	}
	switch h.typ {
	case TypeReady:
		return c.admitAnswer(h.typ)
	case TypeError:
		if h.stream == 0 {
			return c.admitAnswer(h.typ)
		}
		return c.admitReply(h)
	case TypeResult, TypeChunk:
		return c.admitReply(h)
	case TypeLog:
		if h.stream >= c.next {
			return violation("log for stream %d, which was never opened", h.stream)
		}
	}
	return nil
}

func (c *Conn) admitAnswer(t Type) error {
	if c.phase != phaseLoading {
		return violation("%s frame that answers no load", t)
	}
	return nil
}

func (c *Conn) admitReply(h header) error {
	if c.phase != phaseReady {
		return violation("%s frame before ready", h.typ)
	}
	s := c.streams[h.stream]
	if s == nil {
		return violation("%s frame for stream %d, which isn't open", h.typ, h.stream)
	}
	return s.admit(h)
}

func (c *Conn) handle(h header, m message, body []byte) error {
	switch h.typ {
	case TypeHello:
		return c.gotHello(m.hello)
	case TypeReady:
		c.gotReady(m.ready)
	case TypeLog:
		c.gotLog(h.stream, m.log, body)
	case TypePing:
		return c.gotPing(body)
	case TypePong:
		return c.gotPong(body)
	case TypeError:
		if h.stream == 0 {
			c.gotLoadError(m.err)
			return nil
		}
		c.end(h.stream, func(s *Stream) { s.err = m.err })
	case TypeResult:
		c.update(h.stream, h.flags&FlagStream == 0, func(s *Stream) { s.gotResult(m.result, body, h.flags&FlagStream != 0) })
	case TypeChunk:
		c.update(h.stream, h.flags&FlagEnd != 0, func(s *Stream) { s.gotChunk(body) })
	}
	return nil
}

func (c *Conn) gotHello(h Hello) error {
	if h.Protocol != Version {
		return violation("the shim speaks version %d, not %d", h.Protocol, Version)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hello, c.greeted = h, true
	close(c.helloed)
	return nil
}

func (c *Conn) gotReady(r Ready) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = r
	c.phase = phaseReady
	close(c.loaded)
}

func (c *Conn) gotLoadError(e *Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loadErr = e
	c.phase = phaseFailed
	close(c.loaded)
	for id, s := range c.streams {
		s.err = e
		s.finish()
		delete(c.streams, id)
	}
}

func (c *Conn) gotLog(stream uint32, l Log, body []byte) {
	c.mu.Lock()
	if _, ok := c.streams[stream]; !ok {
		stream = 0
	}
	c.mu.Unlock()
	c.onLog(stream, l, body)
}

func (c *Conn) gotPing(body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pongs >= maxPongs {
		return violation("flood of pings")
	}
	c.pongs++
	c.post(Frame{Type: TypePong, Body: body})
	return nil
}

func (c *Conn) gotPong(body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := c.ponged + 1
	if len(body) != 8 || binary.BigEndian.Uint64(body) != want || want > c.pinged {
		return violation("pong that answers no ping")
	}
	c.ponged = want
	close(c.pings[want])
	delete(c.pings, want)
	return nil
}

func (c *Conn) end(stream uint32, f func(*Stream)) { c.update(stream, true, f) }

// update changes a stream that admit has found, wakes its consumer, and
// forgets the stream if that was its last frame.
func (c *Conn) update(stream uint32, last bool, f func(*Stream)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.streams[stream]
	f(s)
	if last {
		s.finish()
		delete(c.streams, stream)
	}
	s.signal()
}

func creditHead(n int) []byte {
	b := append(make([]byte, 0, 24), `{"bytes":`...)
	b = strconv.AppendInt(b, int64(n), 10)
	return append(b, '}')
}

package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"hearth"
	"hearth/internal/wire"
)

// call is one invocation on its way. It belongs to the goroutine of Invoke, and
// after that to the one that reads or closes the reply.
type call struct {
	e *Engine
	Call
	inv hearth.Invocation

	began    time.Time // inv.At on the clock that nobody sets
	pool     *pool
	admitted bool
	i        *instance
	x        exchange
	fresh    bool // i was not loaded when it came
	first    bool // i had not served
	settled  bool
	handling time.Time
	ended    time.Time // when the caller had its answer; what is read of the sandbox afterwards doesn't count
	answer   *answer   // for the capture, where there may be one
	log      LogWriter // made at the first line; guarded by the output of i
}

func (c *call) logWriter() LogWriter {
	if c.log == nil {
		c.log = c.e.cfg.Output(c.Function, c.pool.v.Number, c.ID)
	}
	return c.log
}

// attempts is how many sandboxes a call may try that turn out dead before they
// have seen its event.
const attempts = 3

// Invoke makes one call and returns when the reply begins. Errors are
// *hearth.Error. The record of the invocation goes to the recorder when it is
// over, and also when there was no room for it; not when there is no such
// function or the event is too large.
//
// When ctx ends, the caller is taken to have gone away, also while it reads the
// body of a stream.
func (e *Engine) Invoke(ctx context.Context, in Call) (*Reply, error) {
	if in.ID == "" {
		in.ID = newInvocationID()
	}
	if n := len(in.Event.Body); n > e.cfg.MaxRequest {
		return nil, hearth.Errorf(hearth.CodeTooLarge, "the event has %d bytes, over the limit of %d", n, e.cfg.MaxRequest).
			WithHint("send less, or pass a reference to where the data is")
	}
	began := time.Now()
	c := &call{e: e, Call: in, began: began, inv: hearth.Invocation{
		ID: in.ID, Function: in.Function, Trigger: in.Trigger, Caller: in.Caller, TraceID: hearth.TraceID(in.Trace), ReplayOf: in.ReplayOf,
		At: hearth.Moment(began), RequestBytes: int64(len(in.Event.Body)),
	}}
	for n := 1; ; n++ {
		i, err := e.acquire(ctx, c)
		if err != nil {
			c.refused(err)
			return nil, err
		}
		reply, err, again := c.attempt(ctx, i)
		if again && n < attempts && ctx.Err() == nil {
			c.retreat(false)
			continue
		}
		if again {
			c.retreat(true)
			c.refused(err)
		}
		if err != nil {
			return nil, err
		}
		return reply, nil
	}
}

// refused records a call that never reached a sandbox.
func (c *call) refused(err *hearth.Error) {
	if err.Code == hearth.CodeNotFound {
		return
	}
	if c.pool != nil {
		c.inv.Version = c.pool.v.Number
	}
	c.ended = time.Now()
	c.record(err)
}

// retreat gives up a place whose sandbox was dead before it saw the event. The
// call stays admitted unless it is over.
func (c *call) retreat(over bool) {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.i.inflight--
	c.e.condemn(c.i, nil)
	c.i = nil
	if over {
		c.e.leave(c.pool.fn)
	}
}

// attempt makes the call on i. Again says that i failed before it can have seen
// the event; the place is then still c's. In all other cases the call is over,
// or belongs to the reply's body.
func (c *call) attempt(ctx context.Context, i *instance) (_ *Reply, _ *hearth.Error, again bool) {
	c.i = i
	began := time.Now()
	if c.fresh {
		c.inv.Start = i.start
		if err := c.e.assign(c.e.ctx, i); err != nil {
			return nil, noSandbox(err), true
		}
	} else if c.inv.Start = hearth.StartWarm; c.first {
		c.inv.Start = hearth.StartPrewarmed // loaded ahead, by a deploy or for MinWarm
	}
	// base ends when the caller goes away, if that matters to the function.
	base := ctx
	if c.pool.v.Config.OnDisconnect == hearth.DisconnectFinish {
		base = context.WithoutCancel(ctx)
	}
	if c.fresh {
		return c.cold(base, began)
	}
	return c.warm(base, began)
}

// took notes what i is like before c uses it. mu is held.
func (c *call) took(i *instance) {
	c.fresh, c.first = !i.loaded, i.served == 0
}

// cold sends load and invoke in one write, waits for the load, then for the
// reply. The function's time begins when it is loaded.
func (c *call) cold(base context.Context, began time.Time) (*Reply, *hearth.Error, bool) {
	lctx, cancel := context.WithTimeoutCause(base, c.e.cfg.StartTimeout, errLoad)
	if again := c.send(lctx); again {
		cancel()
		return nil, c.lost(), true
	}
	r, err := c.e.ready(lctx, c.i)
	cancel()
	now := time.Now()
	c.inv.Phases.Import = min(hearth.Duration(r.ImportUS)*hearth.Duration(time.Microsecond), hearth.Duration(now.Sub(began)))
	c.inv.Phases.Load = hearth.Duration(now.Sub(began)) - c.inv.Phases.Import
	if err != nil {
		c.finish(err)
		return nil, err, false
	}
	rctx, done := context.WithTimeoutCause(base, c.pool.v.Config.Limits.Timeout.Std(), errOverrun)
	return c.result(rctx, done, now)
}

func (c *call) warm(base context.Context, began time.Time) (*Reply, *hearth.Error, bool) {
	rctx, done := context.WithTimeoutCause(base, c.pool.v.Config.Limits.Timeout.Std(), errOverrun)
	if again := c.send(rctx); again {
		done()
		return nil, c.lost(), true
	}
	return c.result(rctx, done, began)
}

// send writes the event. A sandbox that doesn't take it is cut off when ctx
// ends; the answer is then like that to a call that was sent.
func (c *call) send(ctx context.Context) (again bool) {
	i, v := c.i, c.pool.v
	select {
	case <-i.sb.Done():
		return true
	default:
	}
	cut := context.AfterFunc(ctx, func() { i.link.Close() })
	defer cut()
	in := wire.Invoke{
		ID: c.ID, Kind: wire.KindJSON, Trace: c.Trace,
		DeadlineMS: time.Now().Add(v.Config.Limits.Timeout.Std()).UnixMilli(),
	}
	if c.Event.HTTP != nil {
		in.Kind, in.HTTP = wire.KindHTTP, c.Event.HTTP
	}
	if c.pool.concurrency() == 1 {
		i.out.attach(c, 0)
	} else {
		i.out.order.Lock()
		defer i.out.order.Unlock()
	}
	var err error
	if c.x, err = i.link.Invoke(in, c.Event.Body); err != nil {
		i.out.detach(c, 0)
		c.x = nil
		return ctx.Err() == nil
	}
	if c.pool.concurrency() > 1 {
		i.out.attach(c, c.x.ID())
	}
	return false
}

// lost is the answer if there is no further attempt.
func (c *call) lost() *hearth.Error {
	return hearth.Errorf(hearth.CodePlatform, "the sandbox was lost before the call reached it").WithHint("try again")
}

// result waits for the reply to begin. It owns ctx from here on.
func (c *call) result(ctx context.Context, done context.CancelFunc, began time.Time) (*Reply, *hearth.Error, bool) {
	var res wire.Result
	var body []byte
	var more bool
	err := context.Cause(ctx)
	if c.x != nil {
		res, body, more, err = c.x.Result(ctx)
	}
	c.handling = time.Now()
	c.inv.Phases.Handler = hearth.Duration(c.handling.Sub(began))
	if err != nil {
		defer done()
		return nil, c.failed(ctx, err), false
	}
	c.inv.Status = res.Status
	reply := &Reply{
		ID: c.ID, Version: c.pool.v.Number, Start: c.inv.Start,
		Status: res.Status, Headers: res.Headers, Length: -1,
	}
	c.answered(res, body, more)
	if more {
		reply.Body = c.stream(ctx, done, body)
		return reply, nil, false
	}
	done()
	if len(body) > c.e.cfg.MaxReply {
		why := hearth.Errorf(hearth.CodeFunctionReply, "the reply has %d bytes, over the limit of %d", len(body), c.e.cfg.MaxReply).
			WithHint("return less, or stream the reply: a generator's chunks are not bounded")
		c.finish(why)
		return nil, why, false
	}
	c.inv.ReplyBytes = int64(len(body))
	reply.Length = int64(len(body))
	reply.Body = io.NopCloser(bytes.NewReader(body))
	c.finishLater()
	return reply, nil, false
}

// failed ends a call whose result, or the next chunk of it, did not come.
func (c *call) failed(ctx context.Context, err error) *hearth.Error {
	var said *wire.Error
	switch cause := context.Cause(ctx); {
	case errors.As(err, &said) && said.Kind == wire.ErrorCancelled && c.i.ending():
		// Nobody cancelled it: these are the last words of a dying shim.
		why := c.e.autopsy(c.i)
		c.finish(why)
		return why
	case errors.As(err, &said):
		why := functionError(c.pool.v, said)
		if said.Kind == wire.ErrorExit {
			c.e.kill(c.i, nil)
		}
		c.finish(why)
		return why
	case ctx.Err() == nil:
		why := c.e.autopsy(c.i)
		c.finish(why)
		return why
	case errors.Is(cause, errOverrun), errors.Is(cause, errLoad):
		return c.overran(overrun(c.pool.v))
	case errors.Is(cause, errIdle):
		return c.overran(overranIdle(c.pool.v))
	default:
		why := cancelled(ctx)
		c.interrupt("disconnect", why)
		return why
	}
}

// overran ends a call that took too long. Where it ran alone its sandbox goes
// at once; others in the same sandbox may finish, unless the shim doesn't even
// answer a cancel.
func (c *call) overran(why *hearth.Error) *hearth.Error {
	if c.pool.concurrency() == 1 {
		c.settle() // while there is something to ask
		c.e.kill(c.i, why)
		c.finish(why)
		return why
	}
	c.e.mu.Lock()
	c.i.draining = true
	c.pool.unlist(c.i)
	c.e.mu.Unlock()
	c.interrupt("timeout", why)
	return why
}

// interrupt asks the shim to end the invocation and kills the sandbox if there
// is no answer in time. The caller doesn't wait for it: the call ends in the
// background.
func (c *call) interrupt(reason string, why *hearth.Error) {
	c.background(func() {
		if !c.answersCancel(reason) {
			c.e.kill(c.i, hearth.Errorf(hearth.CodeFunctionCrashed,
				"another invocation in the same sandbox didn't end when it was cancelled, and the sandbox with it").
				WithHint("a handler that blocks can't be interrupted; deploy it with --concurrency 1"))
		}
		c.finish(why)
	})
}

// answersCancel reports whether the shim said the last word on the invocation
// within the grace.
func (c *call) answersCancel(reason string) bool {
	if c.x == nil || c.x.Cancel(reason) != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), cancelGrace)
	defer cancel()
	var said *wire.Error
	_, _, more, err := c.x.Result(ctx)
	for err == nil && more {
		_, err = c.x.Chunk(ctx)
	}
	if errors.As(err, &said) {
		return said.Kind != wire.ErrorExit
	}
	return err == nil || err == io.EOF //nolint:errorlint // wrapped, it is the end of the wire
}

// background runs f as part of the call: Stop waits for it. The call must still
// be admitted.
func (c *call) background(f func()) {
	c.e.wg.Go(f)
}

// finishLater ends a call whose reply is complete. The caller has its reply
// already; what is still to be read about the sandbox is read meanwhile.
func (c *call) finishLater() {
	c.ended = time.Now()
	if c.pool.concurrency() > 1 || c.e.cfg.MaxQueue < 0 { // the caller's next call couldn't wait for this place
		c.finish(nil)
		return
	}
	c.e.mu.Lock()
	c.pool.finishing++
	recorded := c.e.replies()
	c.e.mu.Unlock()
	c.background(func() {
		defer close(recorded)
		c.settle()
		c.e.mu.Lock()
		c.pool.finishing--
		c.release()
		c.e.mu.Unlock()
		c.record(nil)
		c.e.mu.Lock()
		delete(c.e.unrecorded, recorded)
		c.e.mu.Unlock()
	})
}

// finish ends a call: its output is complete, its place free, its record
// written.
func (c *call) finish(why *hearth.Error) {
	if c.ended.IsZero() {
		c.ended = time.Now()
	}
	c.settle()
	if why != nil {
		c.explain(why)
	}
	c.e.mu.Lock()
	c.e.wg.Add(1) // Stop returns after the record is written
	defer c.e.wg.Done()
	c.release()
	c.e.mu.Unlock()
	c.record(why)
}

// explain writes to the log of the invocation how it failed.
func (c *call) explain(why *hearth.Error) {
	c.i.out.mu.Lock()
	w := c.logWriter()
	c.i.out.mu.Unlock()
	w.Platform("%s: %s", why.Code, why.Message)
	for line := range strings.Lines(why.Trace) {
		w.Platform("%s", strings.TrimSuffix(line, "\n"))
	}
}

// settle collects the output and the usage of an invocation that is over, while
// the place is still its own.
func (c *call) settle() {
	if c.settled {
		return
	}
	c.settled = true
	i := c.i
	alone := c.pool.concurrency() == 1
	var stream uint32
	if c.x != nil {
		stream = c.x.ID()
		c.x.Close()
	}
	if alone && i.flush != nil {
		i.flush()
	}
	i.out.detach(c, stream)
	if !alone {
		return
	}
	if u := c.e.usage(i); u != (hearth.Usage{}) {
		total := u.CPU
		u.CPU = max(0, total-i.cpu)
		i.cpu = total
		c.inv.Usage = &u
	}
}

// usage reads the counters of a sandbox, or what was left of them when it died.
func (e *Engine) usage(i *instance) hearth.Usage {
	ctx, cancel := context.WithTimeout(e.ctx, time.Second)
	defer cancel()
	u, err := i.sb.Usage(ctx)
	if err == nil {
		return u
	}
	late := time.NewTimer(100 * time.Millisecond)
	defer late.Stop()
	select {
	case <-i.sb.Done():
		return i.sb.Exit().Usage
	case <-late.C:
		return hearth.Usage{}
	}
}

// release gives the place back. mu is held.
func (c *call) release() {
	i, p := c.i, c.pool
	i.inflight--
	i.served++
	switch {
	case i.condemned:
		c.e.grow(p)
	case i.draining:
		if i.inflight == 0 {
			c.e.condemn(i, nil)
		}
	default:
		p.list(i)
		c.e.feed()
	}
	c.e.leave(p.fn)
	p.fn.forget(p)
}

// record writes the record of a call that is over.
func (c *call) record(why *hearth.Error) {
	v := &c.inv
	if c.i != nil {
		v.Version, v.Sandbox = c.pool.v.Number, c.i.id
		v.MemoryLimit = int64(c.pool.v.Config.Limits.MemoryMiB) << 20
	}
	v.Duration = hearth.Duration(c.ended.Sub(c.began))
	v.Outcome = hearth.OutcomeOK
	switch {
	case why != nil:
		v.Error, v.Outcome, v.Status = why, why.Code.Outcome(), statusOf(why.Code)
	case v.Status == 0:
		v.Status = 200
	}
	if c.log != nil {
		c.log.Close()
	}
	c.capture()
	c.e.cfg.Recorder.RecordInvocation(*v)
	c.e.cfg.Observer.Observe(v)
	if c.Observer != nil {
		c.Observer.Observe(v)
	}
}

// statusOf is what the invoke API and the routes answer for c.
func statusOf(c hearth.Code) int {
	switch c {
	case hearth.CodeFunctionTimeout:
		return 504
	case hearth.CodeThrottled:
		return 429
	case hearth.CodeUnavailable:
		return 503
	case hearth.CodeCancelled:
		return 499
	}
	if c.Fault() == hearth.FaultFunction {
		return 502
	}
	return 500
}

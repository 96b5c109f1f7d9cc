package engine

import (
	"sync"
	"time"

	"hearth/internal/wire"
)

// output gives what a sandbox prints to the invocation that printed it.
//
// Where invocations run alone, everything belongs to the one in flight,
// whichever way it came. Where several share a sandbox, only the wire knows
// whose a line is; raw bytes of descriptors 1 and 2 are the version's. Output
// between invocations is the version's too, and that of a stem cell nobody's.
type output struct {
	mu      sync.Mutex
	between LogWriter // of the version; nil in a stem cell
	shared  bool
	current *call            // unless shared
	calls   map[uint32]*call // by stream, if shared

	// A line can be here before Invoke has returned the number of its stream.
	// Streams are attached in order, so what comes for a number above last is
	// early, and kept; for another that isn't in calls it is late.
	order sync.Mutex // held by the caller from Invoke to attach, if shared
	last  uint32
	early []earlyOutput
	held  int // bytes in early
}

type earlyOutput struct {
	stream uint32
	name   string
	level  string
	at     time.Time
	p      []byte
}

const maxEarly = 64 << 10

// serve says whose output comes from now on, by default.
func (o *output) serve(between LogWriter, shared bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.between, o.shared = between, shared
	if shared {
		o.calls = map[uint32]*call{}
	}
}

// attach gives c the output of a stream, or, where it runs alone, all of it.
func (o *output) attach(c *call, stream uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.shared {
		o.current = c
		return
	}
	o.calls[stream], o.last = c, stream
	rest := o.early[:0]
	for _, l := range o.early {
		if l.stream != stream {
			rest = append(rest, l)
			continue
		}
		o.held -= len(l.p)
		c.logWriter().Write(l.name, l.level, l.at, l.p)
	}
	o.early = rest
}

// detach ends that. Nothing is written to c's log after it returns.
func (o *output) detach(c *call, stream uint32) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.current == c {
		o.current = nil
	}
	delete(o.calls, stream)
}

// raw is the sink of a sandbox's descriptors.
func (o *output) raw(fd int, p []byte) {
	o.write(0, fd, "", p)
}

// wire is the OnLog of the link.
func (o *output) wire(stream uint32, l wire.Log, p []byte) {
	o.write(stream, l.FD, l.Level, p)
}

func (o *output) write(stream uint32, fd int, level string, p []byte) {
	name := "stdout"
	if fd == 2 {
		name = "stderr"
	}
	now := time.Now() // the sandbox's own clock is its function's to set
	o.mu.Lock()
	defer o.mu.Unlock()
	switch c := o.calls[stream]; {
	case o.between == nil:
	case o.current != nil:
		o.current.logWriter().Write(name, level, now, p)
	case c != nil:
		c.logWriter().Write(name, level, now, p)
	case o.shared && stream > o.last && o.held+len(p) <= maxEarly:
		o.early = append(o.early, earlyOutput{stream, name, level, now, append([]byte(nil), p...)})
		o.held += len(p)
	default:
		o.between.Write(name, level, now, p)
	}
}

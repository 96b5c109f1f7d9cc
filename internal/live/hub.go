package live

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth"
)

// Topic is what a reader can follow.
type Topic int

// The topics.
const (
	Metrics     Topic = iota // each second's figures
	Invocations              // calls that ended
	Logs                     // lines that functions wrote
	Changes                  // of functions
	Sandboxes                // those that live, as a whole; each event replaces the one before
	topics
)

var names = [topics]string{"metrics", "invocations", "logs", "changes", "sandboxes"}

// String returns the topic's name.
func (t Topic) String() string { return names[t] }

// kinds are the names of the events of each topic.
var kinds = [topics]string{"metrics", "invocation", "log", "change", "sandboxes"}

// keeps is how much of each topic waits for readers who come back or are slow.
var keeps = [topics]struct{ events, bytes int }{
	Metrics: {120, 4 << 20}, Invocations: {8192, 8 << 20}, Logs: {16384, 8 << 20}, Changes: {1024, 1 << 20}, Sandboxes: {1, 4 << 20},
}

// linger is how long after its last reader a topic counts as watched: a reader
// whose connection broke is back within it, and misses nothing.
const linger = time.Minute

// Event is one thing that happened. It is shared by all readers and never
// changes.
type Event struct {
	Topic    Topic
	Function string // "" of none
	Value    any

	seq  int64
	size int
	hub  *Hub

	once  sync.Once
	frame []byte
}

// Frame returns the event as server-sent events write it. It is made at the
// first call, by the reader and not by whoever published.
func (e *Event) Frame() []byte {
	e.once.Do(func() {
		data, err := json.Marshal(e.Value)
		if err != nil { // no value of ours
			data = []byte("null")
		}
		e.frame = fmt.Appendf(nil, "event: %s\nid: %s\ndata: %s\n\n", kinds[e.Topic], e.ID(), data)
	})
	return e.frame
}

// ID returns the position behind the event, for readers who come back.
func (e *Event) ID() string { return e.hub.position(e.seq) }

// Hub takes what happens and keeps the last of it. All methods may be called
// concurrently; none waits for a reader.
type Hub struct {
	run string // tells positions of this hub from those of an earlier process
	now func() time.Time

	mu    sync.Mutex // held for well under a microsecond, but by readers for a page
	seq   int64      // of the last event; they are numbered over all topics
	rings [topics]ring
	wake  chan struct{} // closed at the next event; nil while nobody waits
	watch [topics]struct {
		readers int
		joined  int64     // readers since the start
		left    time.Time // when the last one went
	}
}

// ring is the last events of a topic, the oldest first.
type ring struct {
	events []*Event // those before begin are gone
	begin  int
	bytes  int
	gone   int64            // seq of the last one that isn't kept any more
	all    int64            // how many there were
	of     map[string]int64 // by function
}

// NewHub returns a hub in which nothing has happened yet.
func NewHub() *Hub {
	h := &Hub{run: strings.ToLower(rand.Text()[:8]), now: time.Now}
	for t := range h.rings {
		h.rings[t].of = map[string]int64{}
	}
	return h
}

// RecordInvocation publishes a call that ended. i is kept.
func (h *Hub) RecordInvocation(i hearth.Invocation) {
	size := 1024
	if i.Error != nil {
		size += 2 * (len(i.Error.Message) + len(i.Error.Trace))
	}
	h.publish(&Event{Topic: Invocations, Function: i.Function, Value: &i, size: size})
}

// RecordLog publishes a line that a function wrote.
func (h *Hub) RecordLog(l hearth.LogLine) {
	h.publish(&Event{Topic: Logs, Function: l.Function, Value: &l, size: 384 + 2*len(l.Text)})
}

// Publish adds an event of a topic whose size in JSON is about so many bytes. v
// must not change any more.
func (h *Hub) Publish(t Topic, function string, v any, size int) {
	h.publish(&Event{Topic: t, Function: function, Value: v, size: 256 + 2*size})
}

func (h *Hub) publish(e *Event) {
	e.hub = h
	h.mu.Lock()
	h.seq++
	e.seq = h.seq
	r := &h.rings[e.Topic]
	r.add(e, keeps[e.Topic].events, keeps[e.Topic].bytes)
	wake := h.wake
	h.wake = nil
	h.mu.Unlock()
	if wake != nil {
		close(wake)
	}
}

func (r *ring) add(e *Event, events, bytes int) {
	r.all++
	r.of[e.Function]++
	r.events = append(r.events, e)
	r.bytes += e.size
	// The newest stays however large it is.
	for n := len(r.events) - r.begin; n > events || (r.bytes > bytes && n > 1); n-- {
		old := r.events[r.begin]
		r.bytes -= old.size
		r.gone = old.seq
		r.events[r.begin] = nil
		r.begin++
	}
	if r.begin > len(r.events)/2 {
		kept := copy(r.events, r.events[r.begin:])
		clear(r.events[kept:])
		r.events, r.begin = r.events[:kept], 0
	}
}

// Forget drops the counts of a function that was deleted.
func (h *Hub) Forget(function string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range h.rings {
		delete(h.rings[t].of, function)
	}
}

// Watched reports whether anybody follows a topic, or did a moment ago, and a
// number that changes when somebody joins.
func (h *Hub) Watched(t Topic) (watched bool, joined int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &h.watch[t]
	return w.readers > 0 || (w.joined > 0 && h.now().Sub(w.left) < linger), w.joined
}

func (h *Hub) position(seq int64) string { return h.run + "-" + strconv.FormatInt(seq, 10) }

// parse reads a position. ok is false for one of another process; seq is then 0.
func (h *Hub) parse(position string) (seq int64, ok bool, err error) {
	run, n, found := strings.Cut(position, "-")
	seq, bad := strconv.ParseInt(n, 10, 64)
	if !found || len(run) != len(h.run) || bad != nil || seq < 0 {
		return 0, false, hearth.Errorf(hearth.CodeInvalid, "%.50q is not the id of an event of this stream", position).
			WithHint("send the id of the last event you had, or none").WithField("Last-Event-ID")
	}
	if run != h.run {
		return 0, false, nil
	}
	return seq, true, nil
}

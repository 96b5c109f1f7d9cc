package live

import (
	"slices"
	"strings"

	"hearth"
)

// Filter says which topics a reader follows: nil is none of a topic, an empty
// list all of it, else that of these functions.
type Filter [topics][]string

// ParseFilter reads topics as requests write them: "logs" or "logs:hello".
func ParseFilter(specs []string) (Filter, error) {
	var f Filter
	bad := func(format string, args ...any) error {
		return hearth.Errorf(hearth.CodeInvalid, format, args...).WithField("topic").
			WithHint("give topic once or more: %s; those but changes and sandboxes may name a function, as in logs:hello", strings.Join(names[:], ", "))
	}
	if len(specs) == 0 {
		return f, bad("no topic is given")
	}
	if len(specs) > maxTopics {
		return f, bad("%d topics are too many, the limit is %d", len(specs), maxTopics)
	}
	for _, s := range specs {
		name, function, one := strings.Cut(s, ":")
		t := Topic(slices.Index(names[:], name))
		switch {
		case t < 0:
			return f, bad("there is no topic %.50q", s)
		case one && (t == Changes || t == Sandboxes):
			return f, bad("the topic %s has no functions", name)
		case one:
			if err := hearth.ValidateName(function); err != nil {
				return f, bad("topic %.100q: %s", s, err)
			}
			if f[t] == nil || len(f[t]) > 0 {
				f[t] = append(f[t], function)
			}
		default:
			f[t] = []string{}
		}
	}
	for t := range f {
		slices.Sort(f[t])
		f[t] = slices.Compact(f[t])
	}
	return f, nil
}

const maxTopics = 200

func (f *Filter) wants(e *Event) bool {
	if f[e.Topic] == nil {
		return false
	}
	fs := f.functions(e.Topic)
	return len(fs) == 0 || slices.Contains(fs, e.Function)
}

// functions returns those whose events of a topic are wanted, none for all. An
// event of the metrics is one second of all functions: whoever sends it leaves
// out what wasn't asked for.
func (f *Filter) functions(t Topic) []string {
	if t == Metrics {
		return nil
	}
	return f[t]
}

// Lost says that a reader was too slow for so many events of a topic.
type Lost struct {
	Topic Topic
	Count int64
}

// Reader is one who watches. It is used by one goroutine at a time, and must be
// closed.
type Reader struct {
	hub    *Hub
	filter Filter
	seq    int64         // all up to here was given out, or lost
	passed [topics]int64 // events of the filter up to seq
	closed bool
}

// NewReader starts a reader behind a position, or at this moment if that is "".
// Resumed is false if events in between are gone; the reader then starts at
// this moment too, and whoever reads must look again at what it shows.
func (h *Hub) NewReader(f Filter, after string) (r *Reader, resumed bool, err error) {
	r = &Reader{hub: h, filter: f}
	var seq int64
	if after != "" {
		if seq, resumed, err = h.parse(after); err != nil {
			return nil, false, err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	resumed = resumed && seq <= h.seq
	for t := range topics {
		if f[t] == nil {
			continue
		}
		h.watch[t].readers++
		h.watch[t].joined++
		if t != Sandboxes && h.rings[t].gone > seq {
			resumed = false
		}
	}
	if !resumed {
		seq = h.seq
	}
	r.seq = seq
	for t := range topics {
		if f[t] != nil {
			r.passed[t] = h.rings[t].count(f.functions(t)) - r.kept(t)
		}
	}
	return r, resumed, nil
}

// Position returns the id that takes up the reader where it is.
func (r *Reader) Position() string { return r.hub.position(r.seq) }

// Next returns the next events, in order and no more than a page, and what was
// lost before them. More is nil if there is more already; else it is closed once
// there may be.
func (r *Reader) Next() (events []*Event, lost []Lost, more <-chan struct{}) {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	for t := range topics {
		if n := r.missing(t); n > 0 {
			lost = append(lost, Lost{t, n})
		}
	}
	size := 0
	var at [topics]int
	for t := range topics {
		at[t] = h.rings[t].behind(r.seq)
	}
	for seen := 0; seen < pageSeen && len(events) < pageEvents && size < pageBytes; seen++ {
		e := r.earliest(&at)
		if e == nil {
			r.seq = h.seq
			if h.wake == nil {
				h.wake = make(chan struct{})
			}
			return events, lost, h.wake
		}
		r.seq = e.seq
		if r.filter.wants(e) {
			r.passed[e.Topic]++
			events = append(events, e)
			size += e.size
		}
	}
	return events, lost, nil
}

// A page is what a reader takes at once.
const (
	pageEvents = 256
	pageBytes  = 512 << 10
	pageSeen   = 4096 // looked at, so that a page without hits doesn't hold up those who publish
)

// earliest takes the event with the lowest number of those that the rings hold
// from at on; topics that the reader doesn't follow are passed over. The hub is
// locked.
func (r *Reader) earliest(at *[topics]int) *Event {
	best := Topic(-1)
	for t := range topics {
		ring := &r.hub.rings[t]
		if r.filter[t] == nil || at[t] >= len(ring.events) {
			continue
		}
		if best < 0 || ring.events[at[t]].seq < r.hub.rings[best].events[at[best]].seq {
			best = t
		}
	}
	if best < 0 {
		return nil
	}
	e := r.hub.rings[best].events[at[best]]
	at[best]++
	return e
}

// missing counts, and passes over, what is gone of a topic before the reader
// had it. The hub is locked.
func (r *Reader) missing(t Topic) int64 {
	ring := &r.hub.rings[t]
	if r.filter[t] == nil || ring.gone <= r.seq {
		return 0
	}
	n := ring.count(r.filter.functions(t)) - r.passed[t] - r.kept(t)
	r.passed[t] += n // below zero after a Forget: from now on it is right again
	if t == Sandboxes {
		return 0 // the next one says all
	}
	return max(0, n)
}

// kept counts the events of a topic behind the reader. The hub is locked.
func (r *Reader) kept(t Topic) (n int64) {
	ring := &r.hub.rings[t]
	for _, e := range ring.events[ring.behind(r.seq):] {
		if r.filter.wants(e) {
			n++
		}
	}
	return n
}

// behind returns the index of the first event after seq.
func (r *ring) behind(seq int64) int {
	i, _ := slices.BinarySearchFunc(r.events[r.begin:], seq+1, func(e *Event, seq int64) int { return int(e.seq - seq) })
	return r.begin + i
}

// count returns how many events there ever were of these functions; none are all.
func (r *ring) count(functions []string) (n int64) {
	if len(functions) == 0 {
		return r.all
	}
	for _, f := range functions {
		n += r.of[f]
	}
	return n
}

// Close ends the reader. It may be called twice.
func (r *Reader) Close() {
	h := r.hub
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.closed {
		return
	}
	r.closed = true
	for t := range topics {
		if r.filter[t] != nil {
			h.watch[t].readers--
			h.watch[t].left = h.now()
		}
	}
}

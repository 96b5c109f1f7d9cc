package metrics

import (
	"maps"
	"slices"
	"sync"
)

// Second is what happened in a second that is over.
type Second struct {
	At   int64 // Unix seconds
	Seq  int64 // grows with each, whatever the clock does
	Host *HostPoint

	once   sync.Once
	ws     map[Key]*window
	whole  *window
	series []Series
}

// Series lists the functions that had calls, all versions of each together, by
// name; the whole server comes first. There are totals only.
func (s *Second) Series() []Series {
	s.once.Do(func() {
		byName := map[string]*window{}
		for k, w := range s.ws {
			if byName[k.Function] == nil {
				byName[k.Function] = &window{}
			}
			byName[k.Function].merge(w)
		}
		s.series = append(s.series, total("", s.whole))
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			s.series = append(s.series, total(name, byName[name]))
		}
		s.ws, s.whole = nil, nil
	})
	return s.series
}

func total(function string, w *window) Series {
	p := &plan{all: true, Query: Query{Fields: FieldDuration | FieldQueue | FieldStart | FieldMemory, Totals: true}}
	for i := range p.outcomes {
		p.outcomes[i] = true
	}
	s, _ := newAccumulator(p).series(Key{Function: function}, []*row{{data: w.encode()}}) // our own bytes
	return s
}

// keptSeconds is how many seconds can be read after the fact.
const keptSeconds = 120

// publish shows a second that was closed. mu is held.
func (a *Aggregator) publish(second int64, ws map[Key]*window, whole *window) {
	s := &Second{At: second, Seq: 1, ws: ws, whole: whole}
	if n := len(a.seconds); n > 0 {
		s.Seq = a.seconds[n-1].Seq + 1
	}
	if whole.server != nil {
		if h := whole.host; h.n > 0 {
			n := float64(h.n)
			s.Host = &HostPoint{h.cpu / n, h.hearthCPU / n, h.memory / n, h.hearthMem / n}
		}
	}
	a.seconds = append(a.seconds, s)
	if n := len(a.seconds); n > keptSeconds {
		a.seconds = slices.Clone(a.seconds[n-keptSeconds:])
	}
	close(a.next)
	a.next = make(chan struct{})
}

// Since returns the seconds that were closed after the one numbered seq, oldest
// first, as far as they are held, and a channel that is closed when there is
// another. For the newest alone, ask with the Seq of [Aggregator.Newest] - 1.
func (a *Aggregator) Since(seq int64) ([]*Second, <-chan struct{}) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i := len(a.seconds)
	for i > 0 && a.seconds[i-1].Seq > seq {
		i--
	}
	return slices.Clone(a.seconds[i:]), a.next
}

// Newest returns the number of the last second that was closed, 0 if there is
// none.
func (a *Aggregator) Newest() int64 {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if n := len(a.seconds); n > 0 {
		return a.seconds[n-1].Seq
	}
	return 0
}

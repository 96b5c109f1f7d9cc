package metrics

import (
	"time"

	"github.com/DataDog/sketches-go/ddsketch"

	"hearth"
)

// Summary describes a window of at most an hour that ends now.
type Summary struct {
	Function   string                   `json:"function,omitempty"` // "" for all
	Window     hearth.Duration          `json:"window"`             // as asked, shortened to what the collector has seen
	Count      int64                    `json:"count"`
	Rate       float64                  `json:"rate"`       // per second
	Errors     int64                    `json:"errors"`     // outcomes but ok, throttled and cancelled
	ErrorRate  float64                  `json:"error_rate"` // errors/count
	Throttled  int64                    `json:"throttled"`
	ColdStarts int64                    `json:"cold_starts"`
	Outcomes   map[hearth.Outcome]int64 `json:"outcomes"`
	Starts     map[hearth.Start]int64   `json:"starts"`
	P50        hearth.Duration          `json:"p50"` // of the duration, within 1 %; throttled ones are left out
	P95        hearth.Duration          `json:"p95"`
	P99        hearth.Duration          `json:"p99"`
	Max        hearth.Duration          `json:"max"`
}

// bucket is what happened in a piece of time.
type bucket struct {
	start    time.Time
	outcomes map[hearth.Outcome]int64
	starts   map[hearth.Start]int64
	duration *ddsketch.DDSketch // in seconds
	max      hearth.Duration
}

// level is a ring of buckets of one width.
type level struct {
	width   time.Duration
	buckets []bucket
}

// history is the last hour three times: by the second for a minute, by ten
// seconds for five, by the minute for all. Nothing is allocated before the
// first invocation. It must not be used concurrently.
type history struct{ levels []level }

// accuracy is how far a quantile may be off, as a part of itself.
const accuracy = 0.01

// widths and counts are those of the buckets of each level: one more than the
// level's span, because the oldest is taken whole.
var (
	widths = [...]time.Duration{time.Second, 10 * time.Second, time.Minute}
	counts = [...]int{61, 31, 61}
)

func newLevels() []level {
	ls := make([]level, len(widths))
	for i := range ls {
		ls[i] = level{width: widths[i], buckets: make([]bucket, counts[i])}
	}
	return ls
}

// levelFor returns the index of the finest level that reaches back so far.
func levelFor(window time.Duration) int {
	for i, w := range widths {
		if window <= w*time.Duration(counts[i]-1) {
			return i
		}
	}
	return len(widths) - 1
}

// at returns the bucket of a moment, emptied if it held an older one.
func (l *level) at(now time.Time) *bucket {
	start := now.Truncate(l.width)
	b := &l.buckets[int(start.UnixNano()/int64(l.width))%len(l.buckets)]
	if !b.start.Equal(start) {
		b.reset(start)
	}
	return b
}

func (b *bucket) reset(start time.Time) {
	b.start, b.max = start, 0
	if b.duration == nil {
		b.duration = newSketch()
		b.outcomes, b.starts = map[hearth.Outcome]int64{}, map[hearth.Start]int64{}
		return
	}
	b.duration.Clear()
	clear(b.outcomes)
	clear(b.starts)
}

func newSketch() *ddsketch.DDSketch {
	s, err := ddsketch.LogCollapsingLowestDenseDDSketch(accuracy, 2048)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return s
}

func (h *history) add(now time.Time, inv *hearth.Invocation, ran bool) {
	if h.levels == nil {
		h.levels = newLevels()
	}
	for i := range h.levels {
		b := h.levels[i].at(now)
		b.outcomes[inv.Outcome]++
		if inv.Start != "" {
			b.starts[inv.Start]++
		}
		if ran {
			// It fails for values that no duration has.
			_ = b.duration.Add(max(0, inv.Duration.Std().Seconds()))
			b.max = max(b.max, inv.Duration)
		}
	}
}

// sum adds what a level has from since to now to total.
func (h *history) sum(total *bucket, level int, since, now time.Time) {
	if h.levels == nil {
		return
	}
	for i := range h.levels[level].buckets {
		b := &h.levels[level].buckets[i]
		if b.duration == nil || b.start.Before(since) || b.start.After(now) {
			continue
		}
		for o, n := range b.outcomes {
			total.outcomes[o] += n
		}
		for s, n := range b.starts {
			total.starts[s] += n
		}
		_ = total.duration.MergeWith(b.duration) // it fails for another accuracy only
		total.max = max(total.max, b.max)
	}
}

// maxWindow is how far back a summary can look.
const maxWindow = time.Hour

// Summary returns what happened to a function ("" for all) in the last window,
// at most an hour and no longer than the collector exists. The window begins
// at a whole second, up to five minutes at a whole ten, above at a whole
// minute, so it may be that much longer; rates take that into account.
func (c *Collector) Summary(name string, window time.Duration) Summary {
	now := c.o.Now()
	window = max(time.Second, min(window, maxWindow, now.Sub(c.started)))
	level := levelFor(window)
	since := now.Add(-window).Truncate(widths[level])
	var total bucket
	total.reset(time.Time{})
	c.functions.Range(func(key, value any) bool {
		if name == "" || name == key {
			f := value.(*function)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.recent.sum(&total, level, since, now)
		}
		return true
	})
	covered := now.Sub(since)
	if since.Before(c.started) {
		covered = window
	}
	return total.summary(name, window, covered)
}

func (b *bucket) summary(name string, window, covered time.Duration) Summary {
	s := Summary{
		Function: name, Window: hearth.Duration(window), Outcomes: b.outcomes, Starts: b.starts,
		Throttled: b.outcomes[hearth.OutcomeThrottled], Max: b.max,
	}
	for o, n := range b.outcomes {
		s.Count += n
		if o != hearth.OutcomeOK && o != hearth.OutcomeThrottled && o != hearth.OutcomeCancelled {
			s.Errors += n
		}
	}
	for start, n := range b.starts {
		if cold(start) {
			s.ColdStarts += n
		}
	}
	s.Rate = float64(s.Count) / covered.Seconds()
	if s.Count > 0 {
		s.ErrorRate = float64(s.Errors) / float64(s.Count)
	}
	s.P50, s.P95, s.P99 = b.quantile(.50), b.quantile(.95), b.quantile(.99)
	return s
}

// quantile is never above the longest duration, which is known exactly.
func (b *bucket) quantile(q float64) hearth.Duration {
	v, err := b.duration.GetValueAtQuantile(q)
	if err != nil { // there are none
		return 0
	}
	return min(b.max, hearth.Duration(v*float64(time.Second)))
}

package metrics

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"hearth"
)

// record is what is kept of an invocation until the next fold.
type record struct {
	next  *record
	depth int // of the list from here on

	second   int64 // in which it was observed
	key      Key
	outcome  int
	start    int // -1 if it got no sandbox
	duration time.Duration
	queue    time.Duration
	cold     time.Duration // sandbox, load and import
	measured bool          // cpu and memory are known
	cpu      time.Duration
	memory   int64
	in, out  int64
}

func newRecord(now time.Time, inv *hearth.Invocation) *record {
	p := &inv.Phases
	r := &record{
		second: now.Unix(), key: Key{inv.Function, inv.Version},
		outcome: slices.Index(outcomes[:], inv.Outcome), start: slices.Index(starts[:], inv.Start),
		duration: max(0, inv.Duration.Std()), queue: max(0, p.Queue.Std()), cold: max(0, (p.Sandbox + p.Load + p.Import).Std()),
		in: max(0, inv.RequestBytes), out: max(0, inv.ReplyBytes),
	}
	if r.outcome < 0 {
		r.outcome = unknown
	}
	if u := inv.Usage; u != nil {
		r.measured, r.cpu, r.memory = true, max(0, u.CPU.Std()), max(0, u.MemoryPeak)
	}
	return r
}

// shards are lists that many goroutines push onto without a lock and one takes
// over whole. Which list a push goes to is left to chance: two that push at the
// same moment seldom meet.
type shards []shard

type shard struct {
	head atomic.Pointer[record]
	_    [56]byte // a cache line each
}

// newShards makes a power of two of them, twice the processors or more.
func newShards() shards {
	n := 2
	for n < 2*runtime.GOMAXPROCS(0) {
		n *= 2
	}
	return make(shards, n)
}

// push adds r and returns how many wait in its list.
func (s shards) push(r *record) int {
	head := &s[rand.Uint32()&uint32(len(s)-1)].head //nolint:gosec // chance, not secrets
	for {
		r.next = head.Load()
		r.depth = 1
		if r.next != nil {
			r.depth = r.next.depth + 1
		}
		if head.CompareAndSwap(r.next, r) {
			return r.depth
		}
	}
}

// take empties all lists into fn.
func (s shards) take(fn func(*record)) {
	for i := range s {
		for r := s[i].head.Swap(nil); r != nil; r = r.next {
			fn(r)
		}
	}
}

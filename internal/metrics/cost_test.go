package metrics_test

import (
	"testing"
	"time"

	"hearth"
	"hearth/internal/metrics"
)

// BenchmarkCounted is all that a call costs, folded as the loop does it.
func BenchmarkCounted(b *testing.B) {
	d := newBench(b)
	inv := call("a", hearth.OutcomeOK, hearth.StartWarm, 1500*time.Microsecond)
	inv.Usage = &hearth.Usage{CPU: hearth.Duration(time.Millisecond), MemoryPeak: 20 << 20}
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		d.Observe(inv)
		if n++; n%1500 == 0 {
			d.Advance(time.Second)
			d.Tick()
		}
	}
}

// BenchmarkBeat is what a second costs that has nothing in it, on a database.
func BenchmarkBeat(b *testing.B) {
	d, _ := newStored(b, metrics.AggregatorOptions{})
	d.FillMemory(b.Context())
	for b.Loop() {
		d.Observe(call("a", hearth.OutcomeOK, hearth.StartWarm, time.Millisecond))
		d.Advance(time.Second)
		d.Beat(b.Context())
	}
}

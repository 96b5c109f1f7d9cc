package metrics_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"hearth"
	"hearth/internal/metrics"
)

// newDay is an aggregator with a day of a thousand functions and a hundred
// thousand calls behind it, in memory.
func newDay(b *testing.B) *bench {
	d := newBench(b)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 24 * 60 {
		for range 69 {
			i := call(fmt.Sprintf("function-%04d", rnd.IntN(1000)), hearth.OutcomeOK, hearth.StartWarm, time.Duration(1+rnd.ExpFloat64()*2e7))
			i.Usage = &hearth.Usage{CPU: i.Duration / 2, MemoryPeak: 20e6}
			d.Observe(i)
		}
		d.Advance(time.Minute)
		d.Beat(b.Context())
	}
	return d
}

func BenchmarkQuery(b *testing.B) {
	d := newDay(b)
	for name, q := range map[string]metrics.Query{
		"requests of each function by the hour":  {Functions: []string{metrics.Every}, Step: time.Hour},
		"each function in 120 steps with totals": {Functions: []string{metrics.Every}, Fields: metrics.FieldTotal},
		"each function in 120 steps":             {Functions: []string{metrics.Every}, Fields: metrics.FieldDuration},
		"totals of each function":                {Functions: []string{metrics.Every}, Fields: metrics.FieldDuration, Totals: true},
		"one function, all":                      {Functions: []string{"function-0500"}, Fields: all()},
		"the server, all":                        {Fields: all()},
	} {
		b.Run(name, func(b *testing.B) {
			q.From, q.To = d.begin, d.Now()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := d.Query(b.Context(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

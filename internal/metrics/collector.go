package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"hearth"
)

// Options of a Collector; zero fields mean the default.
type Options struct {
	MaxFunctions int              // functions with a label of their own; the rest is "other"; 1000
	Version      string           // of the build
	Now          func() time.Time // time.Now
}

// Sources are asked at each scrape; nil ones are left out.
type Sources struct {
	Sandboxes func() []SandboxCount
	Pools     func() []PoolState
	Dropped   func() int64 // telemetry records given up
}

// SandboxCount is how many sandboxes of a driver are in a state.
type SandboxCount struct {
	Driver string
	State  string
	Count  int
}

// PoolState is a pool of prewarmed sandboxes.
type PoolState struct {
	Driver, Runtime, Network string
	Ready, Target            int
	Hits, Misses             int64
}

// Collector counts invocations.
type Collector struct{}

// New returns a collector with a registry of its own.
func New(o Options) *Collector { return &Collector{} }

// Watch sets what is asked at each scrape.
func (c *Collector) Watch(s Sources) {}

// Observe counts a finished invocation.
func (c *Collector) Observe(inv *hearth.Invocation) {}

// Forget drops what is known of a function that was deleted.
func (c *Collector) Forget(function string) {}

// Gatherer is what a /metrics page is made from.
func (c *Collector) Gatherer() prometheus.Gatherer { return prometheus.NewRegistry() }

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
	P50        hearth.Duration          `json:"p50"` // of the duration
	P95        hearth.Duration          `json:"p95"`
	P99        hearth.Duration          `json:"p99"`
	Max        hearth.Duration          `json:"max"`
}

// Summary returns what happened to a function ("" for all) in the last window.
func (c *Collector) Summary(function string, window time.Duration) Summary { return Summary{} }

// Functions lists the functions that are known, sorted.
func (c *Collector) Functions() []string { return nil }

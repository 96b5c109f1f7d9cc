package rest

import (
	"time"

	"hearth"
)

// MetricData is what was counted in a span of time, in steps of one width.
//
// All lists of a series are as long as At. A null is a gap: the server wasn't
// there, or (of quantiles and means) there was nothing to measure. A zero says
// that the server was there and nothing happened. Durations are in seconds,
// memory is in bytes, and quantiles are over all calls of their step, within
// 1 %. What wasn't asked for is left out.
type MetricData struct {
	From   time.Time      `json:"from" doc:"as asked, moved back to the beginning of a step"`
	To     time.Time      `json:"to" doc:"as asked, moved on to the end of a step"`
	Step   string         `json:"step" example:"1m0s" doc:"a Go duration; longer than asked where shorter ones aren't kept any more"`
	At     []int64        `json:"at" nullable:"false" doc:"Unix seconds of the beginning of each step"`
	Series []MetricSeries `json:"series" nullable:"false"`
	Host   *HostSeries    `json:"host,omitempty"`
	Pools  []PoolSeries   `json:"pools,omitempty" nullable:"false"`

	Deploys []DeployMark `json:"deploys" nullable:"false" doc:"of the functions asked for, oldest first"`
}

// MetricSeries is a function, one version of it, or the whole server.
type MetricSeries struct {
	Function string `json:"function" doc:"nothing for the whole server"`
	Version  int    `json:"version,omitempty" doc:"nothing for all versions together"`

	Requests  []*int64                    `json:"requests,omitempty" nullable:"false" doc:"calls that ended, refused ones included"`
	Errors    []*int64                    `json:"errors,omitempty" nullable:"false" doc:"outcomes but ok, throttled and cancelled"`
	Outcomes  map[hearth.Outcome][]*int64 `json:"outcomes,omitempty" doc:"only those that occurred"`
	Starts    map[hearth.Start][]*int64   `json:"starts,omitempty" doc:"only those that occurred"`
	Duration  *Quantiles                  `json:"duration,omitempty" doc:"of calls that weren't throttled"`
	Queue     *Quantiles                  `json:"queue,omitempty" doc:"time that calls waited for a place"`
	Start     *Quantiles                  `json:"start,omitempty" doc:"of cold starts: making the sandbox, loading and import"`
	CPU       []*float64                  `json:"cpu,omitempty" nullable:"false" doc:"CPU seconds, as the kernel counts them"`
	Memory    *Quantiles                  `json:"memory,omitempty" doc:"the most that its sandbox had used when a call ended, in bytes; of calls that ran alone in their sandbox"`
	BytesIn   []*int64                    `json:"bytes_in,omitempty" nullable:"false" doc:"bodies of requests"`
	BytesOut  []*int64                    `json:"bytes_out,omitempty" nullable:"false" doc:"bodies of replies"`
	Sandboxes map[string][]*float64       `json:"sandboxes,omitempty" doc:"how many were in each state, as the mean over the step"`
	Batch     *BatchSeries                `json:"batch,omitempty"`
	Total     MetricTotal                 `json:"total"`
}

// Quantiles are those of each step. The ones that aren't offered are left out.
type Quantiles struct {
	P50  []*float64 `json:"p50,omitempty" nullable:"false"`
	P90  []*float64 `json:"p90,omitempty" nullable:"false"`
	P95  []*float64 `json:"p95,omitempty" nullable:"false"`
	P99  []*float64 `json:"p99,omitempty" nullable:"false"`
	Max  []*float64 `json:"max,omitempty" nullable:"false" doc:"exact"`
	Mean []*float64 `json:"mean,omitempty" nullable:"false" doc:"exact"`
}

// BatchSeries is about calls that were handled together.
type BatchSeries struct {
	Size []*float64 `json:"size" nullable:"false" doc:"the mean"`
	Wait Quantiles  `json:"wait"`
}

// MetricTotal is the whole span as one. What there is no value for is null.
type MetricTotal struct {
	Requests   int64    `json:"requests"`
	Errors     int64    `json:"errors"`
	ErrorRate  float64  `json:"error_rate" doc:"errors/requests"`
	Throttled  int64    `json:"throttled"`
	ColdStarts int64    `json:"cold_starts"`
	Rate       float64  `json:"rate" doc:"requests per second in which the server was there"`
	P50        *float64 `json:"p50" doc:"of the duration, in seconds; null without the field duration"`
	P90        *float64 `json:"p90"`
	P95        *float64 `json:"p95"`
	P99        *float64 `json:"p99"`
	Max        *float64 `json:"max"`
	CPU        *float64 `json:"cpu" doc:"CPU seconds"`
	MemoryMax  *int64   `json:"memory_max" doc:"bytes"`
	MemoryP99  *float64 `json:"memory_p99" doc:"bytes; null without the field memory"`
	BytesIn    *int64   `json:"bytes_in"`
	BytesOut   *int64   `json:"bytes_out"`
}

// HostSeries is the machine and the server's own process, each as the mean
// over the step. Where the host can't tell all is null.
type HostSeries struct {
	CPU          []*float64 `json:"cpu" nullable:"false" doc:"0 to 1 of all cores"`
	Cores        int        `json:"cpu_cores"`
	Memory       []*float64 `json:"memory" nullable:"false" doc:"bytes in use"`
	MemoryTotal  int64      `json:"memory_total" doc:"bytes; 0 where it isn't known"`
	HearthCPU    []*float64 `json:"hearth_cpu" nullable:"false" doc:"the server without its sandboxes, 0 to 1 of all cores"`
	HearthMemory []*float64 `json:"hearth_memory" nullable:"false" doc:"bytes that the server has resident, its sandboxes left out"`
}

// PoolSeries is a pool of prewarmed sandboxes.
type PoolSeries struct {
	Driver  string         `json:"driver"`
	Runtime string         `json:"runtime"`
	Network hearth.Network `json:"network"`
	Ready   []*float64     `json:"ready" nullable:"false" doc:"that waited, the mean over the step"`
	Target  []*float64     `json:"target" nullable:"false" doc:"that should wait"`
	Hits    []*int64       `json:"hits" nullable:"false" doc:"cold starts that found one"`
	Misses  []*int64       `json:"misses" nullable:"false" doc:"cold starts that found none"`
	Refill  Quantiles      `json:"refill" doc:"time that making one took, in seconds"`
}

// DeployMark is a moment at which the traffic of a function moved.
type DeployMark struct {
	At       time.Time `json:"at"`
	Function string    `json:"function"`
	Version  int       `json:"version"`
	Kind     string    `json:"kind" doc:"deployed or activated"`
	By       string    `json:"by,omitempty"`
}

// UsageReport is what functions used in a span of time, and what they would need.
type UsageReport struct {
	From      time.Time       `json:"from"`
	To        time.Time       `json:"to"`
	Functions []FunctionUsage `json:"functions" nullable:"false" doc:"each version that had calls, the dearest first"`
	Total     UsageTotal      `json:"total"`
}

// UsageTotal is what all used together.
type UsageTotal struct {
	Requests   int64   `json:"requests"`
	CPUSeconds float64 `json:"cpu_seconds"`
	GBSeconds  float64 `json:"gb_seconds"`
}

// FunctionUsage is what one version used.
type FunctionUsage struct {
	Function    string           `json:"function"`
	Version     int              `json:"version"`
	Requests    int64            `json:"requests"`
	CPUSeconds  float64          `json:"cpu_seconds" doc:"as the kernel counts them"`
	GBSeconds   float64          `json:"gb_seconds" doc:"memory limit in GiB times the seconds that calls held it, waiting for a place left out; 0 for a version that was deleted"`
	MemoryLimit int64            `json:"memory_limit" doc:"bytes; 0 for a version that was deleted"`
	MemoryPeak  int64            `json:"memory_peak" doc:"bytes; 0 if it wasn't measured"`
	MemoryP99   float64          `json:"memory_p99" doc:"bytes; 0 if it wasn't measured"`
	DurationP95 float64          `json:"duration_p95" doc:"seconds"`
	Timeout     hearth.Duration  `json:"timeout" doc:"of the version; 0 if it was deleted"`
	Suggestion  *UsageSuggestion `json:"suggestion" doc:"null where nothing should change or too little is known"`
}

// UsageSuggestion is a better memory limit.
type UsageSuggestion struct {
	MemoryMiB int    `json:"memory_mib"`
	Text      string `json:"text" example:"peak 41 MB of 512: set 96"`
}

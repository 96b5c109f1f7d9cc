package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Sources are asked at each scrape and each second; nil ones are left out.
type Sources struct {
	Sandboxes func() []SandboxCount
	Pools     func() []PoolState
	Dropped   func() int64 // telemetry records given up
	Load      func() Load
	// Usage returns what sandboxes that several invocations share have used
	// since it was last asked.
	Usage func() []Used
}

// Used is what the sandboxes of a version used.
type Used struct {
	Key
	CPU        time.Duration
	MemoryPeak int64 // bytes
}

// Load is what the server does now.
type Load struct {
	Running, Waiting int   // calls
	MemoryMiB        int   // limits of the sandboxes that serve
	Evicted          int64 // sandboxes let go to make room
}

// SandboxCount is how many sandboxes of a driver and a version are in a state.
type SandboxCount struct {
	Key    // zero for those that serve no function yet
	Driver string
	State  string
	Count  int
}

// PoolState is a pool of prewarmed sandboxes.
type PoolState struct {
	PoolKey
	Ready, Target int
	Hits, Misses  int64
}

// Watch sets what is asked.
func (c *Collector) Watch(s Sources) { c.sources.Store(&s) }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// scrape asks the sources. It describes nothing beforehand, because a source
// may come and go.
type scrape struct{ c *Collector }

func (scrape) Describe(chan<- *prometheus.Desc) {}

func (s scrape) Collect(out chan<- prometheus.Metric) {
	src := s.c.sources.Load()
	if src.Sandboxes != nil {
		collectSandboxes(out, src.Sandboxes())
	}
	if src.Pools != nil {
		collectPools(out, src.Pools())
	}
	if src.Dropped != nil {
		out <- prometheus.MustNewConstMetric(desc("hearth_telemetry_dropped_total", "Records of invocations and log lines that were given up."),
			prometheus.CounterValue, float64(src.Dropped()))
	}
	if src.Load != nil {
		collectLoad(out, src.Load())
	}
	collectHost(out)
}

func collectSandboxes(out chan<- prometheus.Metric, counts []SandboxCount) {
	d := desc("hearth_sandboxes", "Sandboxes that live, by state.", "driver", "state")
	type key struct{ driver, state string }
	sum := map[key]int{}
	for _, n := range counts {
		sum[key{n.Driver, n.State}] += n.Count
	}
	for k, n := range sum {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), k.driver, k.state)
	}
}

func collectHost(out chan<- prometheus.Metric) {
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(desc(name, help), prometheus.GaugeValue, v)
	}
	if busy, ok := hostCPU(); ok {
		out <- prometheus.MustNewConstMetric(desc("hearth_host_cpu_seconds_total", "Time that the cores of the host were not idle."),
			prometheus.CounterValue, busy.Seconds())
		gauge("hearth_host_cores", "Cores of the host that the server may use.", float64(HostCores()))
	}
	if used, all, ok := HostMemory(); ok {
		gauge("hearth_host_memory_used_bytes", "Memory of the host that nobody could be given.", float64(used))
		gauge("hearth_host_memory_total_bytes", "Memory of the host.", float64(all))
	}
}

func collectLoad(out chan<- prometheus.Metric, l Load) {
	calls := desc("hearth_calls", "Calls in the server, by state.", "state")
	out <- prometheus.MustNewConstMetric(calls, prometheus.GaugeValue, float64(l.Running), "running")
	out <- prometheus.MustNewConstMetric(calls, prometheus.GaugeValue, float64(l.Waiting), "waiting")
	out <- prometheus.MustNewConstMetric(desc("hearth_sandboxes_memory_limit_bytes", "Memory limits of the sandboxes that serve a function."),
		prometheus.GaugeValue, float64(l.MemoryMiB)*(1<<20))
	out <- prometheus.MustNewConstMetric(desc("hearth_sandboxes_evicted_total", "Sandboxes let go to make room for others."),
		prometheus.CounterValue, float64(l.Evicted))
}

func collectPools(out chan<- prometheus.Metric, pools []PoolState) {
	labels := []string{"driver", "runtime", "network"}
	ready := desc("hearth_pool_ready", "Prewarmed sandboxes that wait.", labels...)
	target := desc("hearth_pool_target", "Prewarmed sandboxes that should wait.", labels...)
	hits := desc("hearth_pool_hits_total", "Cold starts that found a prewarmed sandbox.", labels...)
	misses := desc("hearth_pool_misses_total", "Cold starts that found none.", labels...)
	for k, p := range byPool(pools) {
		put := func(d *prometheus.Desc, t prometheus.ValueType, v float64) {
			out <- prometheus.MustNewConstMetric(d, t, v, k.Driver, k.Runtime, k.Network)
		}
		put(ready, prometheus.GaugeValue, float64(p.Ready))
		put(target, prometheus.GaugeValue, float64(p.Target))
		put(hits, prometheus.CounterValue, float64(p.Hits))
		put(misses, prometheus.CounterValue, float64(p.Misses))
	}
}

// byPool sums up pools that differ in nothing that is shown.
func byPool(pools []PoolState) map[PoolKey]PoolState {
	sum := map[PoolKey]PoolState{}
	for _, p := range pools {
		s := sum[p.PoolKey]
		sum[p.PoolKey] = PoolState{p.PoolKey, s.Ready + p.Ready, s.Target + p.Target, s.Hits + p.Hits, s.Misses + p.Misses}
	}
	return sum
}

package metrics

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	dto "github.com/prometheus/client_model/go"

	"hearth"
)

// Other is the label of functions beyond MaxFunctions. No function can have
// this name.
const Other = "_other"

// Options of a Collector; zero fields mean the default.
type Options struct {
	MaxFunctions int              // functions with a label of their own; the rest is [Other]; 1000
	Version      string           // of the build
	Now          func() time.Time // time.Now
}

// Collector counts invocations. All methods may be called concurrently.
//
// Observe only leaves a record in a list. Somebody who asks, or the aggregator
// each second, folds the records into windows and into the Prometheus metrics.
type Collector struct {
	o        Options
	registry *prometheus.Registry

	invocations *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	coldStarts  *prometheus.CounterVec
	coldTime    *prometheus.HistogramVec
	queue       *prometheus.HistogramVec
	cpu         *prometheus.CounterVec
	memory      *prometheus.HistogramVec
	memoryMax   *prometheus.GaugeVec
	refill      *prometheus.HistogramVec
	received    *prometheus.CounterVec
	sent        *prometheus.CounterVec
	sources     atomic.Pointer[Sources]

	shards shards
	full   chan struct{} // holds a token when a list is long

	mu        sync.Mutex // held to fold
	functions map[string]*function
	known     int                       // functions besides Other
	windows   map[int64]map[Key]*window // by second, until they are taken
	refills   map[PoolKey]*sketch       // seconds, until they are taken
}

// function is what Prometheus is told of one function. What is counted often
// is looked up once.
type function struct {
	name     string
	duration prometheus.Observer
	queue    prometheus.Observer
	cpu      prometheus.Counter
	memory   prometheus.Observer
	most     prometheus.Gauge
	mostSeen int64
	received prometheus.Counter
	sent     prometheus.Counter
	outcomes [len(outcomes)]prometheus.Counter
	starts   [len(starts)]prometheus.Counter
}

// New returns a collector with a registry of its own.
func New(o Options) *Collector {
	if o.MaxFunctions <= 0 {
		o.MaxFunctions = 1000
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	c := &Collector{
		o: o, registry: prometheus.NewRegistry(), shards: newShards(), full: make(chan struct{}, 1),
		refills: map[PoolKey]*sketch{}, functions: map[string]*function{}, windows: map[int64]map[Key]*window{},
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocations_total", Help: "Invocations that ended, by how.",
		}, []string{"function", "outcome"}),
		duration: prometheus.NewHistogramVec(histogram("hearth_invocation_duration_seconds",
			"Time from admission to the end of the reply; throttled invocations are left out.", durations), []string{"function"}),
		coldStarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_cold_starts_total", Help: "Invocations that were the first of their sandbox, by how it came to be.",
		}, []string{"function", "start"}),
		coldTime: prometheus.NewHistogramVec(histogram("hearth_cold_start_duration_seconds",
			"Time that a cold start took: sandbox, loading and import of the function.", durations), []string{"start"}),
		queue: prometheus.NewHistogramVec(histogram("hearth_invocation_queue_seconds",
			"Time that invocations waited for a place.", []float64{.001, .01, .1, 1, 10}), []string{"function"}),
		cpu: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocation_cpu_seconds_total", Help: "CPU time of invocations, or of the sandbox where several run in one.",
		}, []string{"function"}),
		memory: prometheus.NewHistogramVec(histogram("hearth_invocation_memory_peak_bytes",
			"Most memory of the sandbox, at the end of invocations that ran alone in it.", prometheus.ExponentialBuckets(16<<20, 2, 10)), []string{"function"}),
		memoryMax: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "hearth_function_memory_max_bytes", Help: "Most memory that a sandbox of the function has used since the server started.",
		}, []string{"function"}),
		refill: prometheus.NewHistogramVec(histogram("hearth_pool_refill_seconds",
			"Time that making a prewarmed sandbox took, in the background.", durations), []string{"driver", "runtime", "network"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocation_request_bytes_total", Help: "Bytes of the bodies of requests.",
		}, []string{"function"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocation_reply_bytes_total", Help: "Bytes of the bodies of replies.",
		}, []string{"function"}),
	}
	c.sources.Store(&Sources{})
	c.registry.MustRegister(
		c.invocations, c.duration, c.coldStarts, c.coldTime, c.queue, c.cpu, c.memory, c.memoryMax, c.refill,
		c.received, c.sent, scrape{c}, buildInfo(o.Version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return c
}

// durations are the buckets of times, in seconds, for scrapers that need some.
var durations = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}

// histogram has buckets for both kinds of scrapers, old and new.
func histogram(name, help string, classic []float64) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                         classic,
		NativeHistogramBucketFactor:     1.1,
		NativeHistogramMaxBucketNumber:  100,
		NativeHistogramMinResetDuration: time.Hour,
	}
}

func buildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "hearth_build_info", Help: "1, with the version of the binary as a label.",
		ConstLabels: prometheus.Labels{"version": version, "go_version": runtime.Version()},
	})
	g.Set(1)
	return g
}

// Gatherer is what a /metrics page is made from. It tells of every call that
// was observed before it is asked.
func (c *Collector) Gatherer() prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		c.fold()
		return c.registry.Gather()
	})
}

const (
	// foldAt is how long a list gets before it is folded early, so that neither
	// memory nor the time that a fold takes grows with the load.
	foldAt = 1024
	// foldNow is where those who observe fold themselves: the one who should
	// doesn't get to it.
	foldNow = 32 * foldAt
)

// Observe counts a finished invocation. It doesn't keep the pointer, and takes
// no lock unless nobody has folded for very long.
func (c *Collector) Observe(inv *hearth.Invocation) {
	switch n := c.shards.push(newRecord(c.o.Now(), inv)); {
	case n >= foldNow:
		c.fold()
	case n%foldAt == 0:
		select {
		case c.full <- struct{}{}:
		default:
		}
	}
}

// fold moves what was observed before it is called into the windows.
func (c *Collector) fold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
}

func (c *Collector) foldLocked() {
	c.shards.take(func(r *record) {
		c.window(r.second, r.key).count(r)
		c.function(r.key.Function).count(c, r)
	})
}

// window returns an open window. mu is held.
func (c *Collector) window(second int64, k Key) *window {
	ws := c.windows[second]
	if ws == nil {
		ws = map[Key]*window{}
		c.windows[second] = ws
	}
	w := ws[k]
	if w == nil {
		w = &window{}
		ws[k] = w
	}
	return w
}

// function returns the entry of a function, or the one of Other when there
// are too many. mu is held.
func (c *Collector) function(name string) *function {
	if f := c.functions[name]; f != nil {
		return f
	}
	if c.known >= c.o.MaxFunctions {
		if f := c.functions[Other]; f != nil {
			return f
		}
		name = Other
	} else {
		c.known++
	}
	f := &function{
		name: name, duration: c.duration.WithLabelValues(name), queue: c.queue.WithLabelValues(name), cpu: c.cpu.WithLabelValues(name),
		memory: c.memory.WithLabelValues(name), most: c.memoryMax.WithLabelValues(name), received: c.received.WithLabelValues(name), sent: c.sent.WithLabelValues(name),
	}
	c.functions[name] = f
	return f
}

func (f *function) count(c *Collector, r *record) {
	n := &f.outcomes[r.outcome]
	if *n == nil {
		*n = c.invocations.WithLabelValues(f.name, string(outcomes[r.outcome]))
	}
	(*n).Inc()
	if r.outcome != throttled { // else its duration is that of a refusal
		f.duration.Observe(r.duration.Seconds())
	}
	f.queue.Observe(r.queue.Seconds())
	f.received.Add(float64(r.in))
	f.sent.Add(float64(r.out))
	if r.measured {
		f.used(r.cpu, r.memory)
		f.memory.Observe(float64(r.memory))
	}
	if r.start <= 0 { // warm, or none
		return
	}
	n = &f.starts[r.start]
	start := string(starts[r.start])
	if *n == nil {
		*n = c.coldStarts.WithLabelValues(f.name, start)
	}
	(*n).Inc()
	c.coldTime.WithLabelValues(start).Observe(r.cold.Seconds())
}

func (f *function) used(cpu time.Duration, memoryPeak int64) {
	f.cpu.Add(cpu.Seconds())
	if memoryPeak > f.mostSeen {
		f.mostSeen = memoryPeak
		f.most.Set(float64(memoryPeak))
	}
}

// ObserveUsage counts what sandboxes used that several invocations share, whose
// own usage isn't known.
func (c *Collector) ObserveUsage(k Key, cpu time.Duration, memoryPeak int64) {
	second := c.o.Now().Unix()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window(second, k).used(cpu, memoryPeak)
	c.function(k.Function).used(cpu, memoryPeak)
}

// ObserveRefill counts a prewarmed sandbox that was made to replace one.
func (c *Collector) ObserveRefill(k PoolKey, took time.Duration) {
	c.refill.WithLabelValues(k.Driver, k.Runtime, k.Network).Observe(took.Seconds())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refills[k] == nil {
		c.refills[k] = &sketch{}
	}
	c.refills[k].add(took.Seconds())
}

// takeRefills returns what was observed since it was last called.
func (c *Collector) takeRefills() map[PoolKey]*sketch {
	c.mu.Lock()
	defer c.mu.Unlock()
	taken := c.refills
	c.refills = map[PoolKey]*sketch{}
	return taken
}

// Forget drops what Prometheus is told of a function that was deleted. A call
// that was still on its way when it was called makes the function known again.
func (c *Collector) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
	if name == Other || c.functions[name] == nil {
		return
	}
	delete(c.functions, name)
	c.known--
	label := prometheus.Labels{"function": name}
	for _, v := range []interface{ DeletePartialMatch(prometheus.Labels) int }{
		c.invocations, c.duration, c.coldStarts, c.queue, c.cpu, c.memory, c.memoryMax, c.received, c.sent,
	} {
		v.DeletePartialMatch(label)
	}
}

// Functions lists the functions with a label of their own, sorted.
func (c *Collector) Functions() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.foldLocked()
	names := []string{}
	for name := range c.functions {
		if name != Other {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

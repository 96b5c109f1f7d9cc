package metrics

import (
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

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
type Collector struct {
	o        Options
	started  time.Time
	registry *prometheus.Registry

	invocations *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	coldStarts  *prometheus.CounterVec
	coldTime    *prometheus.HistogramVec
	sources     atomic.Pointer[Sources]

	functions sync.Map // name → *function; read without a lock
	mu        sync.Mutex
	known     int // entries of functions besides Other
}

// function is what is known of one function. What is counted often is looked
// up once.
type function struct {
	name     string
	duration prometheus.Observer
	outcomes sync.Map // hearth.Outcome → prometheus.Counter
	starts   sync.Map // hearth.Start → prometheus.Counter

	mu     sync.Mutex // held for well under a microsecond
	recent history
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
		o: o, started: o.Now(), registry: prometheus.NewRegistry(),
		invocations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_invocations_total", Help: "Invocations that ended, by how.",
		}, []string{"function", "outcome"}),
		duration: prometheus.NewHistogramVec(histogram("hearth_invocation_duration_seconds",
			"Time from admission to the end of the reply; throttled invocations are left out."), []string{"function"}),
		coldStarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "hearth_cold_starts_total", Help: "Invocations that were the first of their sandbox, by how it came to be.",
		}, []string{"function", "start"}),
		coldTime: prometheus.NewHistogramVec(histogram("hearth_cold_start_duration_seconds",
			"Time that a cold start took: sandbox, loading and import of the function."), []string{"start"}),
	}
	c.sources.Store(&Sources{})
	c.registry.MustRegister(
		c.invocations, c.duration, c.coldStarts, c.coldTime, scrape{c}, buildInfo(o.Version),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return c
}

// histogram has buckets for both kinds of scrapers, old and new.
func histogram(name, help string) prometheus.HistogramOpts {
	return prometheus.HistogramOpts{
		Name: name, Help: help,
		Buckets:                         []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
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

// Gatherer is what a /metrics page is made from.
func (c *Collector) Gatherer() prometheus.Gatherer { return c.registry }

// Observe counts a finished invocation. It doesn't keep the pointer. Calls
// for different functions share no lock.
func (c *Collector) Observe(inv *hearth.Invocation) {
	f := c.function(inv.Function)
	f.outcome(c, inv.Outcome).Inc()
	ran := inv.Outcome != hearth.OutcomeThrottled // else its duration is that of a refusal
	if ran {
		f.duration.Observe(inv.Duration.Std().Seconds())
	}
	if cold(inv.Start) {
		f.start(c, inv.Start).Inc()
		p := inv.Phases
		c.coldTime.WithLabelValues(string(inv.Start)).Observe((p.Sandbox + p.Load + p.Import).Std().Seconds())
	}
	now := c.o.Now()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recent.add(now, inv, ran)
}

func cold(s hearth.Start) bool { return s != "" && s != hearth.StartWarm }

// function returns the entry of a function, or the one of Other when there
// are too many.
func (c *Collector) function(name string) *function {
	if f, ok := c.functions.Load(name); ok {
		return f.(*function)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.functions.Load(name); ok {
		return f.(*function)
	}
	if c.known >= c.o.MaxFunctions {
		if f, ok := c.functions.Load(Other); ok {
			return f.(*function)
		}
		name = Other
	} else {
		c.known++
	}
	f := &function{name: name, duration: c.duration.WithLabelValues(name)}
	c.functions.Store(name, f)
	return f
}

func (f *function) outcome(c *Collector, o hearth.Outcome) prometheus.Counter {
	if n, ok := f.outcomes.Load(o); ok {
		return n.(prometheus.Counter)
	}
	n := c.invocations.WithLabelValues(f.name, string(o))
	f.outcomes.Store(o, n)
	return n
}

func (f *function) start(c *Collector, s hearth.Start) prometheus.Counter {
	if n, ok := f.starts.Load(s); ok {
		return n.(prometheus.Counter)
	}
	n := c.coldStarts.WithLabelValues(f.name, string(s))
	f.starts.Store(s, n)
	return n
}

// Forget drops what is known of a function that was deleted. A call that was
// still on its way when it was called makes the function known again.
func (c *Collector) Forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if name == Other {
		return
	}
	if _, ok := c.functions.LoadAndDelete(name); !ok {
		return
	}
	c.known--
	label := prometheus.Labels{"function": name}
	c.invocations.DeletePartialMatch(label)
	c.duration.DeletePartialMatch(label)
	c.coldStarts.DeletePartialMatch(label)
}

// Functions lists the functions that are known, sorted; Other is not among them.
func (c *Collector) Functions() []string {
	names := []string{}
	c.functions.Range(func(name, _ any) bool {
		if name != Other {
			names = append(names, name.(string))
		}
		return true
	})
	sort.Strings(names)
	return names
}

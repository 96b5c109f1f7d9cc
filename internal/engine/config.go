package engine

import (
	"log/slog"
	"runtime"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Config is what an Engine is made of. Zero limits mean the default; Drivers,
// Runtime and Code are needed.
type Config struct {
	// Drivers by name. The engine calls them through the contract of package
	// sandbox; wrap them in the guard before. It doesn't close them.
	Drivers       map[string]sandbox.Driver
	DefaultDriver string // of versions that name none, and of Prewarm

	// Runtime looks up a language at a version. It is called when a version or
	// a prewarmed pool is put in place, never for a call.
	Runtime func(name string) (hearth.Runtime, error)
	Code    Code

	// Each of these may be nil.
	Recorder Recorder
	Capturer Capturer
	Observer Observer
	Refilled func(p PoolInfo, took time.Duration)                            // a prewarmed sandbox was made to replace one; must not block
	Output   func(function string, version int, invocation string) LogWriter // "" is output between invocations
	Logger   *slog.Logger

	MaxConcurrency   int           // invocations at once on this server; 256
	MaxQueue         int           // calls of one function that may wait; 256, NoQueue for none
	MaxQueueTotal    int           // calls of all functions that may wait; 1024
	QueueTimeout     time.Duration // longest wait for a place; 10 s
	MaxSandboxes     int           // alive at once, stem cells included; 256
	MemoryBudgetMiB  int           // sum of the memory limits of the sandboxes that serve a version; 0 is no bound
	KeepAlive        time.Duration // idle time before a sandbox is let go, where the version names none; 10 min
	RollbackWarm     time.Duration // how long the previous version stays warm; 60 s
	StartTimeout     time.Duration // making a sandbox, and loading a version, each; 30 s
	MaxRequest       int           // bytes of an event's body; 6 MiB
	MaxReply         int           // bytes of a buffered reply; 6 MiB. Streams are not bounded
	RefillInParallel int           // stem cells made at once in the background; 1
	StartsInParallel int           // sandboxes that one driver makes at once on demand; twice the processors

	// StemTarget is how many stem cells of a runtime wait; nil means 2 of each.
	StemTarget func(runtime string) int
	// Prewarm lists runtimes whose pools are filled from the start on, before a
	// function uses them.
	Prewarm []string

	// AllowUnenforced lets versions run whose limits this host can't enforce;
	// Readiness.Warnings then says so. AllowUnenforcedFor, if set, allows it
	// for single versions.
	AllowUnenforced    bool
	AllowUnenforcedFor func(hearth.Version) bool

	// AvailableMiB tells how much memory the host could still give; nil doesn't
	// look. Below MinAvailableMiB idle sandboxes are let go.
	AvailableMiB    func() (int, error)
	MinAvailableMiB int
}

// NoQueue as MaxQueue refuses calls that find no place at once.
const NoQueue = -1

// Code finds the code of versions; *bundle.Store is one.
type Code interface {
	// Dir returns the absolute folder of an unpacked bundle.
	Dir(digest string) (string, error)
}

// Recorder keeps the records of invocations; store.Telemetry is one. It must
// not block.
type Recorder interface {
	RecordInvocation(i hearth.Invocation)
}

// Capturer keeps what invocations were asked and answered; *capture.Keeper is
// one. It reports whether it did. It must not block, nor keep or change what it
// is given; a is nil where there was no reply.
type Capturer interface {
	Capture(i *hearth.Invocation, e hearth.Event, a *hearth.Answer) bool
}

// Observer counts finished invocations; *metrics.Collector is one. It must not
// block, nor keep the pointer.
type Observer interface {
	Observe(i *hearth.Invocation)
}

// LogWriter takes the output of one invocation; *logs.Writer is one. It must
// not block, nor keep p. Methods may be called concurrently.
type LogWriter interface {
	Write(stream, level string, at time.Time, p []byte)
	Platform(format string, args ...any)
	Close()
}

const (
	defaultStemTarget = 2
	// deathGrace is how long a sandbox whose wire ended may take to die before
	// it is killed: its exit status says more than an end-of-file.
	deathGrace = time.Second
	// cancelGrace is how long a shim may take to answer a cancel frame.
	cancelGrace = time.Second
	// destroyTimeout bounds one attempt to destroy a sandbox.
	destroyTimeout = 15 * time.Second
)

func (c Config) withDefaults() Config {
	fill(&c.MaxConcurrency, 256)
	fill(&c.MaxQueue, 256)
	fill(&c.MaxQueueTotal, 1024)
	fill(&c.QueueTimeout, 10*time.Second)
	fill(&c.MaxSandboxes, 256)
	fill(&c.KeepAlive, 10*time.Minute)
	fill(&c.RollbackWarm, time.Minute)
	fill(&c.StartTimeout, 30*time.Second)
	fill(&c.MaxRequest, 6<<20)
	fill(&c.MaxReply, 6<<20)
	fill(&c.RefillInParallel, 1)
	fill(&c.StartsInParallel, max(4, 2*runtime.GOMAXPROCS(0)))
	if c.StemTarget == nil {
		c.StemTarget = func(string) int { return defaultStemTarget }
	}
	if c.Recorder == nil {
		c.Recorder = nobody{}
	}
	if c.Capturer == nil {
		c.Capturer = nobody{}
	}
	if c.Observer == nil {
		c.Observer = nobody{}
	}
	if c.Output == nil {
		c.Output = func(string, int, string) LogWriter { return nobody{} }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func fill[T comparable](dst *T, def T) {
	var zero T
	if *dst == zero {
		*dst = def
	}
}

// nobody listens where the configuration names no one.
type nobody struct{}

func (nobody) RecordInvocation(hearth.Invocation)                            {}
func (nobody) Observe(*hearth.Invocation)                                    {}
func (nobody) Capture(*hearth.Invocation, hearth.Event, *hearth.Answer) bool { return false }
func (nobody) Write(string, string, time.Time, []byte)                       {}
func (nobody) Platform(string, ...any)                                       {}
func (nobody) Close()                                                        {}

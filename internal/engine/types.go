package engine

import (
	"io"
	"time"

	"hearth"
	"hearth/internal/sandbox"
)

// Call is one invocation to be made.
type Call struct {
	ID       string // ULID; "" lets the engine choose
	Function string
	Version  int // 0 is the active one
	Trigger  hearth.Trigger
	Caller   string
	Event    hearth.Event
	Trace    string // W3C traceparent, "" for none
	ReplayOf string // id of the invocation whose event it is, "" for a new one

	// Observer, if set, is told of the record of this call when it is over,
	// after that of the engine. A call without a record is not told.
	Observer Observer
}

// Reply is a handler's answer. For an HTTP event Status and Headers are the
// handler's; else Status is 0. The caller reads Body to its end or closes it;
// closing early cancels the invocation (or lets it finish, as its function is
// configured). Trailer-like facts are in Done.
type Reply struct {
	ID      string
	Version int
	Start   hearth.Start
	Status  int
	Headers map[string][]string
	Body    io.ReadCloser
	Length  int64 // of Body, -1 for a stream
}

// SandboxInfo is a sandbox as lists show it.
type SandboxInfo struct {
	ID       string       `json:"id"`
	Driver   string       `json:"driver"`
	Runtime  string       `json:"runtime"`
	Function string       `json:"function,omitempty"`
	Version  int          `json:"version,omitempty"`
	State    string       `json:"state"`
	Since    time.Time    `json:"since"` // of the state
	Created  time.Time    `json:"created"`
	Served   int64        `json:"served"`
	InFlight int          `json:"in_flight"`
	Usage    hearth.Usage `json:"usage"`
}

// PoolInfo is a pool of stem cells as lists show it.
type PoolInfo struct {
	Driver  string         `json:"driver"`
	Runtime string         `json:"runtime"`
	Network hearth.Network `json:"network"`
	Ready   int            `json:"ready"`
	Target  int            `json:"target"`
	Hits    int64          `json:"hits"`
	Misses  int64          `json:"misses"`

	// How long making one took, in the background: the median of the last ones,
	// and the last.
	RefillP50  hearth.Duration `json:"refill_p50"`
	RefillLast hearth.Duration `json:"refill_last"`

	Error string `json:"error,omitempty"` // why the last attempt to make one failed
}

// SandboxCount is how many sandboxes of a version are in a state. Those that
// serve no function yet have neither Function nor Version.
type SandboxCount struct {
	Driver   string
	Function string
	Version  int
	State    sandbox.State
	Count    int
}

// VersionUsage is what the sandboxes of a version used.
type VersionUsage struct {
	Function   string
	Version    int
	CPU        time.Duration
	MemoryPeak int64 // bytes, of one sandbox
}

// Stats is what the engine counts besides invocations.
type Stats struct {
	Running   int   `json:"running"`    // admitted invocations
	Waiting   int   `json:"waiting"`    // calls without a place
	Sandboxes int   `json:"sandboxes"`  // those being made included
	MemoryMiB int   `json:"memory_mib"` // limits of those that serve a version
	Evicted   int64 `json:"evicted"`    // let go to make room
	Recovered int   `json:"recovered"`  // destroyed at the start, left by an earlier process
}

// Readiness is what a deploy learned by making the first sandbox.
type Readiness struct {
	Start    hearth.Start    `json:"start"`
	Took     hearth.Duration `json:"took"` // from the request for a sandbox to a loaded one
	Import   hearth.Duration `json:"import"`
	Shape    string          `json:"shape"`  // sync, async, generator, async_generator
	Sealed   string          `json:"sealed"` // the driver's Capabilities.Isolation
	Warnings []string        `json:"warnings,omitempty"`
}

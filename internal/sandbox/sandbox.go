package sandbox

import (
	"context"
	"net"
	"time"

	"hearth"
)

// Driver makes sandboxes of one technology. All methods may be called
// concurrently.
type Driver interface {
	// Name is what users write after --sandbox: "native", "docker", …
	Name() string

	// Probe looks at the host. An error says in words what this host lacks for
	// the driver to work at all and how to mend it; what works only in part is
	// in the Capabilities.
	Probe(ctx context.Context) (Capabilities, error)

	// Create makes a stem cell: sealed, its shim up and rehearsed, holding no
	// function. It returns when the shim is ready to be dialled. The context
	// bounds the making only, not the sandbox's life.
	Create(ctx context.Context, spec Spec) (Sandbox, error)

	// Leftovers finds what an earlier process of the same instance left behind
	// when it was killed. The caller adopts or destroys each.
	Leftovers(ctx context.Context) ([]Sandbox, error)

	// Close destroys everything the driver still holds and waits for it.
	Close() error
}

// Spec says what stem cell to make.
type Spec struct {
	ID      string         // unique on the host, chosen by the caller: a ULID in lower case
	Runtime hearth.Runtime // its language
	Limits  hearth.Limits  // of its class: holds until Assign, which may change it
	Network hearth.Network

	// OnDemand is set when a caller waits: the driver may then skip what only
	// makes later calls faster (rehearsal).
	OnDemand bool
}

// Assignment makes a stem cell one version's for life.
type Assignment struct {
	Version hearth.Version
	Limits  hearth.Limits // final
	CodeDir string        // host folder with the unpacked bundle; stays as long as the sandbox lives
}

// Sandbox is one isolated instance. All methods may be called concurrently.
type Sandbox interface {
	// ID is the ID of the Spec.
	ID() string

	// Assign is called once at most, before any function code travels.
	Assign(ctx context.Context, a Assignment) error

	// Dial opens a byte stream to what runs inside. Capabilities.Streams says
	// how many there can be in the sandbox's life. Closing the stream that
	// carries the wire ends the sandbox.
	Dial(ctx context.Context) (net.Conn, error)

	// Usage reads the kernel's counters. It fails with ErrGone when the sandbox
	// is dead and its counters with it.
	Usage(ctx context.Context) (hearth.Usage, error)

	// Done is closed when nothing runs inside any more. Exit is valid then.
	Done() <-chan struct{}
	Exit() Exit

	// Destroy kills what runs inside and removes every trace on the host. It
	// returns when that is done, may be called in any state, any number of times.
	Destroy(ctx context.Context) error
}

// Exit is why a sandbox died.
type Exit struct {
	Code   int    // exit status of the first process, -1 if a signal ended it
	Signal string // "SIGSEGV", … or ""
	OOM    bool   // the kernel killed something inside for memory
	Usage  hearth.Usage
	Err    error // the driver lost track of it
}

// Capabilities is what a driver can do on this host. Zero is the weakest.
type Capabilities struct {
	Isolation string // one line for people: "namespaces, seccomp, cgroup v2, own uid"
	Root      bool   // runs with the host's root privileges

	Memory  Enforcement // each limit: whether it holds here
	CPU     Enforcement
	PIDs    Enforcement
	Tmp     Enforcement
	Network Enforcement // "none" means no network is really none
	Egress  Enforcement // network: egress can be offered

	Streams   int  // Dials in a sandbox's life; 0 is any number
	CodeMount bool // Assign puts the code at hearth.CodeMount; else it travels by wire
	// MemoryFixed says that Assign can't change the memory that Create gave, as
	// in a virtual machine: stem cells then stand in only for versions of
	// exactly their memory.
	MemoryFixed bool
	Forks       bool // Create on demand forks (start class "forked") where the runtime can; else "spawned"

	Findings []Finding // for doctor, good and bad
}

// Enforcement says whether a promise holds on this host; if not, why and how to mend it.
type Enforcement struct {
	OK  bool
	Why string // what is missing, when not OK
	Fix string // the command or setting that mends it
}

// Finding is one line of `hearth doctor`.
type Finding struct {
	Name   string `json:"name"`   // "memory limit"
	Status string `json:"status"` // "ok", "weak" or "missing"
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Outputter is a sandbox that hands over what processes inside write to file
// descriptors 1 and 2. Where a sandbox isn't one, its output comes by wire.
type Outputter interface {
	// Output delivers to sink, until the sandbox is dead. It is called once,
	// before Assign. Sink gets 1 or 2 and bytes it must not keep; calls don't
	// overlap.
	Output(sink func(fd int, p []byte))
	// FlushOutput delivers what was written before the call.
	FlushOutput()
}

// Pauser is a sandbox whose processes can be stopped and resumed.
type Pauser interface {
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
}

// Template is a loaded sandbox that others of the same version are made from:
// a function zygote, a VM snapshot.
type Template interface {
	Spawn(ctx context.Context, id string) (Sandbox, error)
	Close() error
}

// Templater is a sandbox that can become a Template.
type Templater interface {
	Template(ctx context.Context) (Template, error)
}

// As finds an optional power of s, looking through decorators that have
// Unwrap() Sandbox.
func As[T any](s Sandbox) (T, bool) {
	for s != nil {
		if t, ok := s.(T); ok {
			return t, true
		}
		u, ok := s.(interface{ Unwrap() Sandbox })
		if !ok {
			break
		}
		s = u.Unwrap()
	}
	var zero T
	return zero, false
}

// Event is a change in the life of a sandbox, as the guard reports it.
type Event struct {
	At      time.Time
	Sandbox string
	Driver  string
	State   State
	Err     error // why it is dead, if something went wrong
}

// State is where a sandbox is in its life.
type State string

// The states, in order. A used sandbox never goes back to stem.
const (
	StateStarting State = "starting"
	StateStem     State = "stem"
	StateLoading  State = "loading"
	StateIdle     State = "idle"
	StateBusy     State = "busy"
	StateDraining State = "draining"
	StateDead     State = "dead"
)

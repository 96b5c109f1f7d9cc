package hearth

import "time"

// Moment returns t as records and documents tell it: in UTC, to the millisecond.
func Moment(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// Outcome is how an invocation ended, as metrics and lists show it.
type Outcome string

// The outcomes. "ok" is any reply of the function, whatever its status.
const (
	OutcomeOK        Outcome = "ok"
	OutcomeError     Outcome = "function_error"
	OutcomeTimeout   Outcome = "timeout"
	OutcomeOOM       Outcome = "out_of_memory"
	OutcomeCrashed   Outcome = "crashed"
	OutcomeThrottled Outcome = "throttled"
	OutcomeCancelled Outcome = "cancelled"
	OutcomePlatform  Outcome = "platform_error"
)

// Failed reports whether o is an error of the function or the platform. What was
// throttled or given up by its caller is neither.
func (o Outcome) Failed() bool {
	return o != OutcomeOK && o != OutcomeThrottled && o != OutcomeCancelled
}

// Outcomes lists all of them.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeOK, OutcomeError, OutcomeTimeout, OutcomeOOM, OutcomeCrashed, OutcomeThrottled, OutcomeCancelled, OutcomePlatform,
	}
}

// Outcome returns how an invocation ended that failed with c, [OutcomeOK] for "".
func (c Code) Outcome() Outcome {
	switch c {
	case "":
		return OutcomeOK
	case CodeFunctionError, CodeFunctionReply:
		return OutcomeError
	case CodeFunctionTimeout:
		return OutcomeTimeout
	case CodeFunctionOOM:
		return OutcomeOOM
	case CodeFunctionCrashed:
		return OutcomeCrashed
	case CodeThrottled:
		return OutcomeThrottled
	case CodeCancelled:
		return OutcomeCancelled
	}
	return OutcomePlatform
}

// Start is how the sandbox of an invocation came to be.
type Start string

// The starts, from cheap to dear.
const (
	StartWarm      Start = "warm"      // it had served this version before
	StartPrewarmed Start = "prewarmed" // a stem cell that waited
	StartForked    Start = "forked"    // forked on demand
	StartSpawned   Start = "spawned"   // started on demand
	StartRestored  Start = "restored"  // from a snapshot
)

// Phases is where the time of an invocation went. They follow each other;
// those that did not happen are zero.
type Phases struct {
	Queue   Duration `json:"queue"`   // waiting for a place
	Sandbox Duration `json:"sandbox"` // taking or making the sandbox
	Load    Duration `json:"load"`    // giving it the version, import excluded
	Import  Duration `json:"import"`  // the function's module, as the shim measured it
	Handler Duration `json:"handler"` // until the first byte of the reply
	Reply   Duration `json:"reply"`   // sending the rest
}

// Invocation is the record of one call.
type Invocation struct {
	ID       string    `json:"id"` // ULID
	Function string    `json:"function"`
	Version  int       `json:"version"`
	Trigger  Trigger   `json:"trigger"`
	Caller   string    `json:"caller,omitempty"`   // user's name, "" for public routes
	TraceID  string    `json:"trace_id,omitempty"` // of the W3C trace context, if it has one
	At       time.Time `json:"at"`                 // when it was admitted

	Outcome Outcome `json:"outcome"`
	Error   *Error  `json:"error,omitempty"`
	Status  int     `json:"status"` // of the HTTP reply

	Start    Start    `json:"start,omitempty"` // empty if it never got a sandbox
	Sandbox  string   `json:"sandbox,omitempty"`
	Duration Duration `json:"duration"` // all phases
	Phases   Phases   `json:"phases"`

	RequestBytes int64  `json:"request_bytes"`
	ReplyBytes   int64  `json:"reply_bytes"`
	Usage        *Usage `json:"usage,omitempty"`        // only where it ran alone in its sandbox
	MemoryLimit  int64  `json:"memory_limit,omitempty"` // bytes of its sandbox; 0 if it never got one

	// Fingerprint is the same for failures that are taken for the same; "" for
	// what is no failure, see [Outcome.Failed].
	Fingerprint string `json:"fingerprint,omitempty"`
	Frame       string `json:"frame,omitempty"` // where in its own code a function failed: "main.py:12 in handler"

	Captured bool   `json:"captured,omitempty"`  // what it was asked and answered is kept, see [Capture]
	ReplayOf string `json:"replay_of,omitempty"` // id of the invocation whose event it had
}

// GBSeconds is what the invocation cost: the memory that it reserved, in GiB,
// times the seconds that it had it, waiting for a place left out.
func (i *Invocation) GBSeconds() float64 {
	return float64(i.MemoryLimit) / (1 << 30) * max(0, (i.Duration-i.Phases.Queue).Std().Seconds())
}

// Trigger is what caused an invocation.
type Trigger string

// The triggers.
const (
	TriggerHTTP   Trigger = "http"   // a route
	TriggerAPI    Trigger = "api"    // the invoke operation
	TriggerReplay Trigger = "replay" // an earlier event, once more
)

// Usage is what a sandbox used, as the kernel counts it.
type Usage struct {
	CPU        Duration `json:"cpu"`         // user and system
	Memory     int64    `json:"memory"`      // bytes now
	MemoryPeak int64    `json:"memory_peak"` // bytes, the most so far
	PIDs       int      `json:"pids"`
}

// LogLine is one line of a function's output.
type LogLine struct {
	Seq        int64     `json:"seq"` // grows within the server; the cursor of tails
	At         time.Time `json:"at"`
	Function   string    `json:"function"`
	Version    int       `json:"version"`
	Invocation string    `json:"invocation,omitempty"` // "" for output between invocations
	Stream     string    `json:"stream"`               // "stdout", "stderr" or "platform"
	Level      string    `json:"level,omitempty"`      // as the logging library named it
	Text       string    `json:"text"`                 // without its newline
}

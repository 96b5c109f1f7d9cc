package rest

import (
	"time"

	"hearth"
)

// Headers that the platform puts on replies of functions, on the invoke
// operation and on routes alike.
const (
	HeaderInvocation = "X-Hearth-Invocation-Id"
	HeaderVersion    = "X-Hearth-Version"
	HeaderStart      = "X-Hearth-Start"
	HeaderReplayOf   = "X-Hearth-Replay-Of" // of replays alone: the id of the invocation whose event it was
)

// What lists of invocations take besides the outcomes and starts that there are.
const (
	OutcomeFailed hearth.Outcome = "failed" // all but ok, throttled and cancelled
	StartCold     hearth.Start   = "cold"   // all but warm
)

// List is one page. Next is the cursor of the next page, "" at the end.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Logs is one page of lines, or a histogram of them.
type Logs struct {
	Items []hearth.LogLine `json:"items"`
	Next  string           `json:"next,omitempty"`

	Step   int64   `json:"step,omitempty" doc:"of a histogram, in seconds"`
	At     []int64 `json:"at,omitempty" doc:"when each step of a histogram begins, in seconds since 1970"`
	Counts []int64 `json:"counts,omitempty" doc:"lines in each step"`
}

// FunctionInfo is a function with what people ask about it first.
type FunctionInfo struct {
	hearth.Function
	Version *hearth.Version `json:"version,omitempty"` // the active one
	URLs    []string        `json:"urls"`              // where it answers; the first is /fn/{name}
}

// DeployConfig is the `config` part of a deploy. What is left out gets its
// default; Public, Routes and CORS, which belong to the function and not to the
// version, stay as they are.
type DeployConfig struct {
	Runtime      string             `json:"runtime,omitempty" doc:"a runtime (python3.11), a language (python) or nothing, to guess from the code"`
	Handler      string             `json:"handler,omitempty" doc:"module.function; nothing, to guess from the code"`
	Sandbox      string             `json:"sandbox,omitempty" doc:"name of the sandbox driver"`
	Limits       hearth.Limits      `json:"limits,omitzero"`
	Env          map[string]string  `json:"env,omitempty"`
	Network      hearth.Network     `json:"network,omitempty" doc:"none or egress"`
	Concurrency  int                `json:"concurrency,omitempty" doc:"invocations at once in one sandbox"`
	MaxScale     int                `json:"max_scale,omitempty" doc:"sandboxes at once; 0 is the server's limit"`
	MinWarm      int                `json:"min_warm,omitempty" doc:"sandboxes kept ready"`
	KeepAlive    hearth.Duration    `json:"keep_alive,omitempty" doc:"idle time before a sandbox is let go; 0 is the server's"`
	Batch        hearth.Batch       `json:"batch,omitzero"`
	OnDisconnect hearth.Disconnect  `json:"on_disconnect,omitempty" doc:"cancel or finish: what becomes of a call whose caller went away"`
	Capture      hearth.CaptureMode `json:"capture,omitempty" doc:"off, errors or sampled: of which calls it is kept what they were asked and answered"`

	Public *bool           `json:"public,omitempty" doc:"its routes need no key"`
	Routes *[]hearth.Route `json:"routes,omitempty"`
	CORS   *hearth.CORS    `json:"cors,omitempty"`

	Message string `json:"message,omitempty" doc:"what is said of this deploy, up to 200 characters on one line"`
}

// Deployed is the reply to a deploy.
type Deployed struct {
	Function FunctionInfo   `json:"function"`
	Version  hearth.Version `json:"version"`
	Ready    Readiness      `json:"ready"`
}

// Readiness is what a deploy learned by making the version's first sandbox.
type Readiness struct {
	Start    hearth.Start    `json:"start" doc:"how the first sandbox came to be"`
	Took     hearth.Duration `json:"took" doc:"from the request for a sandbox to a loaded one"`
	Import   hearth.Duration `json:"import" doc:"the function's module, as measured inside"`
	Total    hearth.Duration `json:"total" doc:"of the whole deploy, unpacking included"`
	Shape    string          `json:"shape,omitempty" doc:"sync, async, generator or async_generator"`
	Sealed   string          `json:"sealed" doc:"what isolates it, in words"`
	Warnings []string        `json:"warnings,omitempty"`
}

// FunctionUpdate changes what is not nil. A CORS without origins takes CORS away;
// a route's replaces the function's for what matches the route.
type FunctionUpdate struct {
	Public *bool           `json:"public,omitempty"`
	Routes *[]hearth.Route `json:"routes,omitempty"`
	CORS   *hearth.CORS    `json:"cors,omitempty"`
}

// Rollback asks for an earlier version; 0 is the one before the active one.
type Rollback struct {
	Version int    `json:"version,omitempty" minimum:"0"`
	Message string `json:"message,omitempty" doc:"why, up to 200 characters on one line"`
}

// Identity is who the caller is.
type Identity struct {
	User hearth.User `json:"user"`
	Key  *hearth.Key `json:"key,omitempty"` // nil with a session of the dashboard
}

// NewUser asks for a user.
type NewUser struct {
	Name string      `json:"name" minLength:"1" maxLength:"63"`
	Role hearth.Role `json:"role" doc:"admin, developer or viewer"`
}

// UserUpdate changes a user.
type UserUpdate struct {
	Role hearth.Role `json:"role" doc:"admin, developer or viewer"`
}

// NewKey asks for a key. User "" is the caller.
type NewKey struct {
	Name string          `json:"name" minLength:"1" maxLength:"63"`
	User string          `json:"user,omitempty" doc:"name of the user; nothing for yourself"`
	TTL  hearth.Duration `json:"ttl,omitempty" doc:"how long it works; 0 is for ever"`
}

// CreatedKey is a key with its secret, which is shown this once.
type CreatedKey struct {
	Key    hearth.Key `json:"key"`
	Secret string     `json:"secret"`
}

// SignInLink is an address that signs a browser in, once.
type SignInLink struct {
	URL       string    `json:"url"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Sandbox is one live sandbox.
type Sandbox struct {
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

// Pool is a pool of prewarmed sandboxes.
type Pool struct {
	Driver  string         `json:"driver"`
	Runtime string         `json:"runtime"`
	Network hearth.Network `json:"network"`
	Ready   int            `json:"ready"`
	Target  int            `json:"target"`
	Hits    int64          `json:"hits"`
	Misses  int64          `json:"misses"`

	RefillP50  hearth.Duration `json:"refill_p50" doc:"how long making one took in the background: the median of the last 64"`
	RefillLast hearth.Duration `json:"refill_last" doc:"the same of the last one"`

	Error string `json:"error,omitempty" doc:"why the last attempt to make one failed"`
}

// Server is what a server says about itself.
type Server struct {
	Version   string    `json:"version"`
	Instance  string    `json:"instance"`
	URL       string    `json:"url"`
	StartedAt time.Time `json:"started_at"`
	Draining  bool      `json:"draining"`
	Sandbox   string    `json:"sandbox" doc:"the default sandbox"`
	Sandboxes []Driver  `json:"sandboxes"`
	Load      Load      `json:"load"`
	Dropped   int64     `json:"dropped" doc:"records of invocations and logs given up since the start"`
	Defaults  Defaults  `json:"defaults" doc:"what holds where nothing else is said"`
	Bounds    Bounds    `json:"bounds" doc:"what a configuration may hold"`
	Settings  []Setting `json:"settings" doc:"how the server is configured"`
}

// Load is what a server does now.
type Load struct {
	Running   int   `json:"running" doc:"calls that have a place"`
	Waiting   int   `json:"waiting" doc:"calls that wait for one"`
	Sandboxes int   `json:"sandboxes"`
	MemoryMiB int   `json:"memory_mib" doc:"memory limits of the sandboxes that serve"`
	Evicted   int64 `json:"evicted" doc:"sandboxes let go to make room"`
	Recovered int   `json:"recovered" doc:"sandboxes cleared away at the start, left by an earlier process"`
}

// Driver is a sandbox technology on the server's host.
type Driver struct {
	Name      string    `json:"name"`
	Isolation string    `json:"isolation,omitempty"`
	Error     string    `json:"error,omitempty" doc:"why it can't be used"`
	Findings  []Finding `json:"findings"`
}

// Finding is one line of `hearth doctor`.
type Finding struct {
	Name   string `json:"name"`
	Status string `json:"status" doc:"ok, weak or missing"`
	Detail string `json:"detail"`
	Fix    string `json:"fix,omitempty"`
}

// Metrics summarises the calls of a span of time.
type Metrics struct {
	From      time.Time         `json:"from"`
	To        time.Time         `json:"to"`
	Functions []FunctionMetrics `json:"functions"`
}

// FunctionMetrics summarises the calls of one function. Durations are
// quantiles over all its calls in the span.
type FunctionMetrics struct {
	Function    string                   `json:"function"`
	Window      hearth.Duration          `json:"window" doc:"the span, shortened to what the server has seen"`
	Invocations int64                    `json:"invocations"`
	Rate        float64                  `json:"rate" doc:"per second"`
	Errors      int64                    `json:"errors" doc:"outcomes but ok, throttled and cancelled"`
	Throttled   int64                    `json:"throttled"`
	ColdStarts  int64                    `json:"cold_starts"`
	Outcomes    map[hearth.Outcome]int64 `json:"outcomes"`
	Starts      map[hearth.Start]int64   `json:"starts"`
	P50         hearth.Duration          `json:"p50" doc:"of the duration of calls"`
	P95         hearth.Duration          `json:"p95"`
	P99         hearth.Duration          `json:"p99"`
	Max         hearth.Duration          `json:"max"`
}

// The kinds of Event.
const (
	EventDeployed  = "function.deployed"
	EventActivated = "function.activated"
	EventUpdated   = "function.updated"
	EventDeleted   = "function.deleted"
	EventReset     = "reset" // the events between were lost: read again what you show
)

// Event is a change, as the stream of events tells it.
type Event struct {
	ID       int64     `json:"id"` // grows within the run of a server
	At       time.Time `json:"at"`
	Kind     string    `json:"kind"`
	Function string    `json:"function,omitempty"`
	Version  int       `json:"version,omitempty"`
	By       string    `json:"by,omitempty"`
}

// Problem is an error as it travels: an RFC 9457 problem document.
type Problem struct {
	Type       string      `json:"type"`
	Title      string      `json:"title"`
	Status     int         `json:"status"`
	Code       hearth.Code `json:"code" doc:"stable name of the error"`
	Detail     string      `json:"detail,omitempty"`
	Hint       string      `json:"hint,omitempty" doc:"what to do about it"`
	Field      string      `json:"field,omitempty" doc:"the input field at fault"`
	ErrorType  string      `json:"error_type,omitempty" doc:"class of the function's exception"`
	Trace      string      `json:"trace,omitempty" doc:"stack of the function's exception"`
	Invocation string      `json:"invocation,omitempty" doc:"id of the invocation that failed"`

	RetryAfter hearth.Duration `json:"retry_after,omitzero" doc:"how long to wait before trying again"`
}

// ContentType lets the API send it as application/problem+json.
func (*Problem) ContentType(string) string { return "application/problem+json" }

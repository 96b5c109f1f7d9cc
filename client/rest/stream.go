package rest

import (
	"time"

	"hearth"
)

// The topics of the stream. Those but StreamChanges and StreamSandboxes may be
// followed for one function: StreamLogs + ":hello".
const (
	StreamMetrics     = "metrics"
	StreamInvocations = "invocations"
	StreamLogs        = "logs"
	StreamChanges     = "changes"
	StreamSandboxes   = "sandboxes"
)

// The names of the stream's events. The data of EventInvocation is a
// hearth.Invocation, of EventLog a hearth.LogLine, of EventChange an Event.
const (
	EventHello         = "hello"
	EventLost          = "lost"
	EventMetrics       = "metrics"
	EventInvocation    = "invocation"
	EventLog           = "log"
	EventChange        = "change"
	EventSandboxStates = "sandboxes"
)

// StreamHello is the first event of a stream.
type StreamHello struct {
	ServerTime time.Time `json:"server_time"`
	Instance   string    `json:"instance"`
	Version    string    `json:"version"`
	Resumed    bool      `json:"resumed" doc:"the stream goes on behind the id that was sent; if not, read again what you show"`
}

// StreamLost says that the reader was too slow: so many events of a topic were
// left out, and it does well to read again what it shows.
type StreamLost struct {
	Topic string `json:"topic"`
	Count int64  `json:"count"`
}

// LiveMetrics is what happened in one second.
type LiveMetrics struct {
	At     int64        `json:"at" doc:"when the second began, in seconds since 1970"`
	Step   int          `json:"step" doc:"seconds, always 1"`
	Series []LiveSeries `json:"series" doc:"of the functions that were called, and of the whole server under the name \"\""`
	Host   *LiveHost    `json:"host,omitempty"`
	Load   Load         `json:"load"`
}

// LiveSeries is what happened to a function in one second. Times are in
// seconds; they are null where nothing was measured.
type LiveSeries struct {
	Function  string                   `json:"function"`
	Requests  int64                    `json:"requests"`
	Errors    int64                    `json:"errors" doc:"outcomes but ok, throttled and cancelled"`
	Outcomes  map[hearth.Outcome]int64 `json:"outcomes"`
	P50       *float64                 `json:"p50" doc:"of the duration of calls"`
	P95       *float64                 `json:"p95"`
	P99       *float64                 `json:"p99"`
	CPU       *float64                 `json:"cpu" doc:"CPU seconds"`
	MemoryMax *int64                   `json:"memory_max" doc:"bytes, the highest peak of a call"`
}

// LiveHost is how the host is doing.
type LiveHost struct {
	CPU         *float64 `json:"cpu" doc:"0 to 1, of all cores"`
	Memory      int64    `json:"memory" doc:"bytes in use"`
	MemoryTotal int64    `json:"memory_total"`
}

// LiveSandboxes is all sandboxes and pools.
type LiveSandboxes struct {
	Items []Sandbox `json:"items"`
	Pools []Pool    `json:"pools"`
}

package rest

import "hearth"

// Defaults is what holds where a function or a call says nothing else.
type Defaults struct {
	Config        hearth.Config   `json:"config" doc:"of a function that configures nothing, with the server's part filled in"`
	Sandbox       string          `json:"sandbox" doc:"of functions that name none"`
	KeepAlive     hearth.Duration `json:"keep_alive" doc:"idle time before a sandbox is let go"`
	MaxRequestMiB int             `json:"max_request_mib" doc:"largest body of a call"`
	MaxReplyMiB   int             `json:"max_reply_mib" doc:"largest reply that isn't streamed"`
	MaxCodeMiB    int             `json:"max_code_mib" doc:"largest upload of code"`
	Concurrency   int             `json:"concurrency" doc:"calls at once in the whole server"`
	Queue         int             `json:"queue" doc:"calls of one function that may wait for a place"`
	QueueWait     hearth.Duration `json:"queue_wait" doc:"how long a call may wait for a place"`
	MemoryMiB     int             `json:"memory_mib" doc:"memory that all sandboxes may use together; 0 is no bound"`
	Prewarmed     int             `json:"prewarmed" doc:"prewarmed sandboxes per runtime"`
	Retention     hearth.Duration `json:"retention" doc:"age at which invocations and logs are deleted"`
}

// Setting is one setting of the server: where its value isn't the default, the
// operator has chosen it, by a flag (--name with dashes), the environment
// (HEARTH_NAME) or the configuration file.
type Setting struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Usage   string `json:"usage"`
}

// Bounds is what a configuration may hold, the ends included.
type Bounds struct {
	Memory      IntRange       `json:"memory" doc:"MiB"`
	MinMemory   map[string]int `json:"min_memory" doc:"MiB below which a runtime doesn't start, by its name"`
	CPU         FloatRange     `json:"cpu" doc:"cores"`
	Timeout     DurationRange  `json:"timeout"`
	IdleChunk   DurationRange  `json:"idle_chunk"`
	PIDs        IntRange       `json:"pids"`
	Tmp         IntRange       `json:"tmp" doc:"MiB"`
	Concurrency IntRange       `json:"concurrency"`
	MaxScale    IntRange       `json:"max_scale"`
	MinWarm     IntRange       `json:"min_warm"`
	KeepAlive   DurationRange  `json:"keep_alive"`
	BatchSize   IntRange       `json:"batch_size"`
	BatchWait   DurationRange  `json:"batch_wait"`

	EnvBytes       int `json:"env_bytes" doc:"most bytes of the environment, names and values together"`
	Message        int `json:"message" doc:"most characters of a deploy's message"`
	TestEvents     int `json:"test_events" doc:"most test events of a function"`
	TestEventBytes int `json:"test_event_bytes" doc:"most bytes of a test event"`
}

// IntRange is whole numbers from Min to Max.
type IntRange struct {
	Min int `json:"min"`
	Max int `json:"max"`
}

// FloatRange is numbers from Min to Max.
type FloatRange struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

// DurationRange is durations from Min to Max.
type DurationRange struct {
	Min hearth.Duration `json:"min"`
	Max hearth.Duration `json:"max"`
}

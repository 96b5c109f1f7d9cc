package hearth

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Duration is a [time.Duration] that is written as a Go string ("300ms", "3s")
// in JSON and YAML.
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns d in Go's notation.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes d in Go's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads Go's notation.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(strings.TrimSpace(string(b)))
	if err != nil {
		return Errorf(CodeInvalid, "%q is not a duration", b).WithHint(`write it like "300ms", "3s" or "2m"`)
	}
	*d = Duration(v)
	return nil
}

// UnmarshalJSON reads a string in Go's notation.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return Errorf(CodeInvalid, "%s is not a duration", b).WithHint(`write it as a string like "300ms", "3s" or "2m"`)
	}
	return d.UnmarshalText([]byte(s))
}

// Limits is what one sandbox of a function may use, and how long one call of
// it may take. Zero fields mean the default of [DefaultLimits].
type Limits struct {
	MemoryMiB int      `json:"memory,omitempty" yaml:"memory"`         // MiB, no swap
	CPU       float64  `json:"cpu,omitempty" yaml:"cpu"`               // cores
	Timeout   Duration `json:"timeout,omitempty" yaml:"timeout"`       // of one invocation, queue excluded
	IdleChunk Duration `json:"idle_chunk,omitempty" yaml:"idle_chunk"` // longest silence between chunks of a stream
	PIDs      int      `json:"pids,omitempty" yaml:"pids"`             // processes and threads
	TmpMiB    int      `json:"tmp,omitempty" yaml:"tmp"`               // MiB of /tmp; counts as memory
}

// DefaultLimits is what a function gets that names none.
func DefaultLimits() Limits {
	return Limits{
		MemoryMiB: 128,
		CPU:       1,
		Timeout:   Duration(10 * time.Second),
		IdleChunk: Duration(30 * time.Second),
		PIDs:      64,
		TmpMiB:    64,
	}
}

// WithDefaults returns l with its zero fields filled from d.
func (l Limits) WithDefaults(d Limits) Limits {
	fill(&l.MemoryMiB, d.MemoryMiB)
	fill(&l.CPU, d.CPU)
	fill(&l.Timeout, d.Timeout)
	fill(&l.IdleChunk, d.IdleChunk)
	fill(&l.PIDs, d.PIDs)
	fill(&l.TmpMiB, d.TmpMiB)
	return l
}

func fill[T comparable](dst *T, def T) {
	var zero T
	if *dst == zero {
		*dst = def
	}
}

// The range of each limit. The lower ends are what the runtimes need to start
// at all (Node maps about 40 MiB before it runs a line).
const (
	MinMemoryMiB = 32
	MaxMemoryMiB = 64 * 1024
	MinCPU       = 0.05
	MaxCPU       = 128
	MinTimeout   = 10 * time.Millisecond
	MaxTimeout   = time.Hour
	MinPIDs      = 16
	MaxPIDs      = 32768
	MinTmpMiB    = 1
	MaxTmpMiB    = 16 * 1024
)

// Validate reports, as an [Error] with code [CodeInvalid], the first field that
// is out of range. Fill the zero fields first.
func (l Limits) Validate() error {
	bad := func(field string, got, lo, hi any) error {
		return Errorf(CodeInvalid, "%s is %v, out of range", field, got).
			WithHint("give %s a value from %v to %v", field, lo, hi).WithField(field)
	}
	switch {
	case l.MemoryMiB < MinMemoryMiB || l.MemoryMiB > MaxMemoryMiB:
		return bad("memory", fmt.Sprintf("%d MiB", l.MemoryMiB), MinMemoryMiB, MaxMemoryMiB)
	case !(l.CPU >= MinCPU && l.CPU <= MaxCPU):
		return bad("cpu", l.CPU, MinCPU, MaxCPU)
	case l.Timeout.Std() < MinTimeout || l.Timeout.Std() > MaxTimeout:
		return bad("timeout", l.Timeout, MinTimeout, MaxTimeout)
	case l.IdleChunk.Std() < MinTimeout || l.IdleChunk.Std() > MaxTimeout:
		return bad("idle_chunk", l.IdleChunk, MinTimeout, MaxTimeout)
	case l.PIDs < MinPIDs || l.PIDs > MaxPIDs:
		return bad("pids", l.PIDs, MinPIDs, MaxPIDs)
	case l.TmpMiB < MinTmpMiB || l.TmpMiB > MaxTmpMiB:
		return bad("tmp", fmt.Sprintf("%d MiB", l.TmpMiB), MinTmpMiB, MaxTmpMiB)
	}
	return nil
}

package api

import (
	"time"

	"hearth"
	"hearth/client/rest"
)

// defaults is what a form shows where nothing is chosen.
func (a *API) defaults() rest.Defaults {
	d := a.o.Defaults
	d.Config = hearth.DefaultConfig()
	d.Config.KeepAlive = d.KeepAlive
	return d
}

// bounds is what hearth.Config.Validate takes, and what the runtimes need.
func bounds(runtimes []hearth.Runtime) rest.Bounds {
	least := map[string]int{}
	for _, rt := range runtimes {
		least[rt.Name] = max(hearth.MinMemoryMiB, rt.MinMemory)
	}
	durations := func(lo, hi time.Duration) rest.DurationRange {
		return rest.DurationRange{Min: hearth.Duration(lo), Max: hearth.Duration(hi)}
	}
	return rest.Bounds{
		Memory: rest.IntRange{Min: hearth.MinMemoryMiB, Max: hearth.MaxMemoryMiB}, MinMemory: least,
		CPU:     rest.FloatRange{Min: hearth.MinCPU, Max: hearth.MaxCPU},
		Timeout: durations(hearth.MinTimeout, hearth.MaxTimeout), IdleChunk: durations(hearth.MinTimeout, hearth.MaxTimeout),
		PIDs: rest.IntRange{Min: hearth.MinPIDs, Max: hearth.MaxPIDs}, Tmp: rest.IntRange{Min: hearth.MinTmpMiB, Max: hearth.MaxTmpMiB},
		Concurrency: rest.IntRange{Min: 1, Max: hearth.MaxConcurrency}, MaxScale: rest.IntRange{Max: hearth.MaxSandboxes},
		MinWarm: rest.IntRange{Max: hearth.MaxMinWarm}, KeepAlive: durations(0, hearth.MaxKeepAlive),
		BatchSize: rest.IntRange{Max: hearth.MaxBatchSize}, BatchWait: durations(0, hearth.MaxBatchWait),
		EnvBytes: hearth.MaxEnvBytes, Message: hearth.MaxMessage,
		TestEvents: hearth.MaxTestEvents, TestEventBytes: hearth.MaxTestEventBytes,
	}
}

package native

import (
	"log/slog"
	"time"
)

// Config of a Driver. The zero value of a field means its default.
type Config struct {
	// Dir holds what the driver notes about running processes and its
	// temporary files. It belongs to this driver alone and is made if needed.
	Dir string

	// Instance tells this server from others on the same host: its cgroups
	// carry the name. Letters, digits and dashes.
	Instance string

	Logger *slog.Logger // nil discards

	// UIDBase is the first of the Sandboxes user and group ids that sandboxes
	// run under, one each. Default 200000. It is not used without root, where
	// the ids that the host grants decide.
	UIDBase int

	// Sandboxes is the most that can live at once. Default 4096.
	Sandboxes int

	// ZygoteCells is how many sandboxes are forked from one zygote before a new
	// one takes its place: forks share the addresses and the hash seed of
	// their zygote. Default 1000.
	ZygoteCells int

	// ZygoteAge is how long sandboxes are forked from one zygote, for the same
	// reason. Default 1 h.
	ZygoteAge time.Duration

	// NetworkPool is how many network namespaces wait, ready made. Default 8.
	NetworkPool int

	// Egress is how sandboxes with `network: egress` get out.
	Egress EgressOptions
}

func (c Config) withDefaults() Config {
	if c.Instance == "" {
		c.Instance = "default"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	fill(&c.UIDBase, 200_000)
	fill(&c.Sandboxes, 4096)
	fill(&c.ZygoteCells, 1000)
	fill(&c.NetworkPool, 8)
	fill(&c.ZygoteAge, time.Hour)
	return c
}

func fill[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

package engine

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"hearth"
	"hearth/internal/sandbox"
)

// driver is a sandbox.Driver and what this host lets it do.
type driver struct {
	sandbox.Driver
	// starts holds a token for each sandbox being made on demand: a burst of
	// misses must not take the processors from the calls that have a place.
	starts chan struct{}

	mu     sync.Mutex
	probed bool
	caps   sandbox.Capabilities
}

// capabilities probes once. A failure is not kept: the operator may mend it
// while the server runs.
func (d *driver) capabilities(ctx context.Context) (sandbox.Capabilities, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.probed {
		return d.caps, nil
	}
	caps, err := d.Probe(ctx)
	if err != nil {
		return caps, fmt.Errorf("probe the %s driver: %w", d.Name(), err)
	}
	d.caps, d.probed = caps, true
	return caps, nil
}

// known is capabilities without the wait, zero before the first probe.
func (d *driver) known() sandbox.Capabilities {
	caps, _ := d.lastProbe()
	return caps
}

// lastProbe returns what the driver can do, and whether it was asked.
func (d *driver) lastProbe() (sandbox.Capabilities, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.caps, d.probed
}

func (d *driver) startOnDemand(rt hearth.Runtime) hearth.Start {
	if d.known().Forks && len(rt.Zygote) > 0 {
		return hearth.StartForked
	}
	return hearth.StartSpawned
}

// enforce compares what v asks for with what caps can hold it to. It returns
// what is weaker than asked, or an error where that isn't allowed.
func enforce(v hearth.Version, caps sandbox.Capabilities, allowed bool) (warnings []string, err *hearth.Error) {
	if v.Config.Network == hearth.NetworkEgress && !caps.Egress.OK {
		return nil, hearth.Errorf(hearth.CodeUnsupported, "the %s sandbox can't offer network egress on this host: %s", v.Sandbox, caps.Egress.Why).
			WithHint("%s", sentence(caps.Egress.Fix, "deploy with --network none")).WithField("network")
	}
	limits := []struct {
		field, asked string
		caps         sandbox.Enforcement
	}{
		{"memory", fmt.Sprintf("memory limit of %d MiB", v.Config.Limits.MemoryMiB), caps.Memory},
		{"cpu", fmt.Sprintf("CPU limit of %g cores", v.Config.Limits.CPU), caps.CPU},
		{"pids", fmt.Sprintf("limit of %d processes", v.Config.Limits.PIDs), caps.PIDs},
		{"tmp", fmt.Sprintf("limit of %d MiB for /tmp", v.Config.Limits.TmpMiB), caps.Tmp},
		{"network", "network: none", caps.Network},
	}
	for _, l := range limits {
		switch {
		case l.caps.OK, l.field == "network" && v.Config.Network != hearth.NetworkNone:
		case !allowed:
			return nil, hearth.Errorf(hearth.CodeUnsupported, "this host can't enforce the %s: %s", l.asked, l.caps.Why).
				WithHint("%s", sentence(l.caps.Fix, "or, if you trust the function, start the server with --allow-unenforced")).
				WithField(l.field)
		default:
			warnings = append(warnings, fmt.Sprintf("the %s is not enforced on this host: %s", l.asked, l.caps.Why))
		}
	}
	return warnings, nil
}

// sentence joins the parts that say something.
func sentence(parts ...string) string {
	var said []string
	for _, p := range parts {
		if p != "" {
			said = append(said, p)
		}
	}
	return strings.Join(said, "; ")
}

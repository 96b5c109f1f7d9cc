package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/drivers"
	"hearth/internal/sandbox/guard"
)

// driverSet is the drivers of a server, guarded.
type driverSet struct {
	all []sandbox.Driver

	mu     sync.Mutex
	last   []rest.Driver
	looked time.Time
}

func openDrivers(dir, instance string, o Options) (*driverSet, error) {
	ds := o.Drivers
	if ds == nil {
		var err error
		if ds, err = drivers.All(drivers.Config{Dir: dir, Instance: instance, Logger: o.Logger}); err != nil {
			return nil, err
		}
	}
	s := &driverSet{}
	for _, d := range ds {
		s.all = append(s.all, guard.New(d, func(e sandbox.Event) {
			o.Logger.Debug("sandbox", "id", e.Sandbox, "driver", e.Driver, "state", e.State, "err", e.Err)
		}))
	}
	return s, nil
}

func (s *driverSet) byName() map[string]sandbox.Driver {
	m := make(map[string]sandbox.Driver, len(s.all))
	for _, d := range s.all {
		m[d.Name()] = d
	}
	return m
}

// reportFor is how long a look at the host is good for: a probe makes
// namespaces and cgroups.
const reportFor = 30 * time.Second

// report says what each driver can and can't do on this host.
func (s *driverSet) report(ctx context.Context) []rest.Driver {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil && time.Since(s.looked) < reportFor {
		return s.last
	}
	s.last = nil
	for _, d := range s.all {
		s.last = append(s.last, describe(ctx, d))
	}
	s.looked = time.Now()
	return s.last
}

func describe(ctx context.Context, d sandbox.Driver) rest.Driver {
	caps, err := d.Probe(ctx)
	out := rest.Driver{Name: d.Name(), Isolation: caps.Isolation, Findings: []rest.Finding{}}
	if err != nil {
		out.Error = err.Error()
	}
	for _, f := range caps.Findings {
		out.Findings = append(out.Findings, rest.Finding(f))
	}
	return out
}

func (s *driverSet) close() error {
	var errs []error
	for _, d := range s.all {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}

// Report is what `hearth doctor` knows without a running server.
type Report struct {
	Sandboxes []rest.Driver
	Runtimes  []hearth.Runtime
	Notes     []string // what languages are missing, and how to get them
}

// Doctor looks at this host without a server. Dir is a folder that it may write
// to and leave things in; it must not be the data folder of a running server.
func Doctor(ctx context.Context, dir string, o Options) (Report, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c, err := detect(ctx, dir, o.Languages)
	if err != nil {
		return Report{}, err
	}
	ds, err := openDrivers(dir, "doctor", o)
	if err != nil {
		return Report{}, err
	}
	r := Report{Sandboxes: ds.report(ctx), Runtimes: c.All(), Notes: c.Notes()}
	return r, ds.close()
}

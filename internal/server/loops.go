package server

import (
	"context"
	"time"

	"hearth/internal/metrics"
)

const (
	pruneEvery = 10 * time.Minute
	sweepEvery = time.Hour
	sweepGrace = time.Hour // an upload may wait so long for its version
	flushEvery = 30 * time.Second
)

// startLoops starts what is done now and then.
func (s *Server) startLoops(ctx context.Context) error {
	return s.loops.Run(context.WithoutCancel(ctx),
		s.every(pruneEvery, s.prune), s.every(sweepEvery, s.sweep), s.every(flushEvery, s.api.Flush), s.api.Sample)
}

func (s *Server) every(d time.Duration, do func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		t := time.NewTicker(d)
		defer t.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.C:
				do(ctx)
			}
		}
	}
}

// prune deletes invocations and logs that are older than they are kept.
func (s *Server) prune(ctx context.Context) {
	n, err := s.store.Prune(ctx, time.Now().Add(-s.cfg.Retention))
	if err != nil && ctx.Err() == nil {
		s.log.Warn("old records not deleted", "err", err)
	} else if n > 0 {
		s.log.Info("old records deleted", "count", n)
	}
}

// sweep deletes code that no version uses.
func (s *Server) sweep(ctx context.Context) {
	used, err := s.store.CodeDigests(ctx)
	if err == nil {
		var n int
		var freed int64
		n, freed, err = s.bundles.Sweep(ctx, func(digest string) bool { return used[digest] }, sweepGrace)
		if n > 0 {
			s.log.Info("unused code deleted", "bundles", n, "bytes", freed)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("unused code not deleted", "err", err)
	}
}

// sources is what is asked at each scrape of the metrics and each second.
func (s *Server) sources() metrics.Sources {
	return metrics.Sources{
		Dropped: s.store.Dropped,
		Load: func() metrics.Load {
			n := s.engine.Stats()
			return metrics.Load{Running: n.Running, Waiting: n.Waiting, MemoryMiB: n.MemoryMiB, Evicted: n.Evicted}
		},
		Usage: func() (out []metrics.Used) {
			for _, u := range s.engine.TakeUsage(context.Background()) {
				out = append(out, metrics.Used{Key: metrics.Key{Function: u.Function, Version: u.Version}, CPU: u.CPU, MemoryPeak: u.MemoryPeak})
			}
			return out
		},
		Pools: func() (out []metrics.PoolState) {
			for _, p := range s.engine.Pools() {
				out = append(out, metrics.PoolState{
					PoolKey: metrics.PoolKey{Driver: p.Driver, Runtime: p.Runtime, Network: string(p.Network)},
					Ready:   p.Ready, Target: p.Target, Hits: p.Hits, Misses: p.Misses,
				})
			}
			return out
		},
		Sandboxes: func() (out []metrics.SandboxCount) {
			for _, n := range s.engine.Counts() {
				out = append(out, metrics.SandboxCount{
					Key: metrics.Key{Function: n.Function, Version: n.Version}, Driver: n.Driver, State: string(n.State), Count: n.Count,
				})
			}
			return out
		},
	}
}

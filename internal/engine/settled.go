package engine

import (
	"context"
	"maps"
	"slices"
)

// replies returns what is closed when the call, which has its reply, is
// recorded too. mu is held.
func (e *Engine) replies() (recorded chan struct{}) {
	recorded = make(chan struct{})
	e.unrecorded[recorded] = struct{}{}
	return recorded
}

// Settled waits until all calls that had their reply before are recorded. Who
// calls, and looks then, is to find the call.
func (e *Engine) Settled(ctx context.Context) error {
	e.mu.Lock()
	wait := slices.Collect(maps.Keys(e.unrecorded))
	e.mu.Unlock()
	for _, recorded := range wait {
		select {
		case <-recorded:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

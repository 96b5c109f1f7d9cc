package engine

import (
	"context"
	"errors"

	"hearth"
)

var errSkeleton = errors.New("not built yet")

// Engine runs functions. All methods may be called concurrently.
type Engine struct{}

// Deploy makes a ready sandbox of v without giving it traffic, so that a
// version that can't load is known before it is activated. The sandbox waits
// for Activate; Discard lets it go.
func (e *Engine) Deploy(ctx context.Context, v hearth.Version) (Readiness, error) {
	return Readiness{}, errSkeleton
}

// Activate sends f's traffic to v from the next call on; calls in flight end
// on the version they began with. It is also how functions are put in place at
// start-up, and how rollbacks happen.
func (e *Engine) Activate(f hearth.Function, v hearth.Version) error { return errSkeleton }

// Discard forgets what Deploy prepared.
func (e *Engine) Discard(v hearth.Version) {}

// Remove lets a function end: calls in flight finish, new ones are not found.
func (e *Engine) Remove(ctx context.Context, name string) error { return errSkeleton }

// Invoke makes one call and returns when the reply begins. Errors are
// *hearth.Error. The record of the invocation goes to the recorder in any case.
func (e *Engine) Invoke(ctx context.Context, c Call) (*Reply, error) { return nil, errSkeleton }

// Sandboxes lists all that live, stem cells included.
func (e *Engine) Sandboxes(ctx context.Context) []SandboxInfo { return nil }

// Pools lists the pools of stem cells.
func (e *Engine) Pools() []PoolInfo { return nil }

// KillSandbox destroys one sandbox; its calls fail with CodeFunctionCrashed.
func (e *Engine) KillSandbox(ctx context.Context, id string) error { return errSkeleton }

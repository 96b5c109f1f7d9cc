package engine

import (
	"context"
	"time"

	"hearth"
)

// Where several invocations run in one sandbox, what it uses is nobody's: an
// invocation is told only what it used alone. But it is the version's all the
// same, so it is counted as the sandbox uses it.

// TakeUsage returns what sandboxes that invocations share have used since it was
// last called, by version. It is for one caller, who asks every second or so.
func (e *Engine) TakeUsage(ctx context.Context) []VersionUsage {
	e.mu.Lock()
	var ask []*instance
	for i := range e.live {
		if i.shared() && (i.inflight > 0 || i.served != i.seen) {
			i.seen = i.served
			ask = append(ask, i)
		}
	}
	e.mu.Unlock()
	for _, i := range ask {
		if u, err := i.sb.Usage(ctx); err == nil {
			e.mu.Lock()
			e.spent(i, u)
			e.mu.Unlock()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []VersionUsage
	for k, u := range e.used {
		u.Function, u.Version = k.Function, k.Version
		out = append(out, u)
	}
	clear(e.used)
	return out
}

// shared reports whether several invocations may run in i. mu is held.
func (i *instance) shared() bool { return i.pool != nil && i.pool.concurrency() > 1 }

// spent adds what i used since it was last looked at. mu is held.
func (e *Engine) spent(i *instance, u hearth.Usage) {
	if u.CPU <= i.cpu {
		return
	}
	k := VersionUsage{Function: i.pool.v.Function, Version: i.pool.v.Number}
	sum := e.used[k]
	sum.CPU += (u.CPU - i.cpu).Std()
	sum.MemoryPeak = max(sum.MemoryPeak, u.MemoryPeak)
	e.used[k], i.cpu = sum, u.CPU
}

// lastUsage adds what a shared sandbox used until its end, before it is
// destroyed.
func (e *Engine) lastUsage(i *instance) {
	e.mu.Lock()
	shared := i.shared()
	e.mu.Unlock()
	if !shared {
		return
	}
	u := i.verdict.exit.Usage
	if !i.verdict.exited {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		u, _ = i.sb.Usage(ctx) // zero adds nothing
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spent(i, u)
}

package metrics

import "context"

// What the loops do, one thing at a time.

func (a *Aggregator) Tick()                                  { a.tick(false) }
func (a *Aggregator) End(ctx context.Context) bool           { a.tick(true); return a.flush(ctx) }
func (a *Aggregator) Flush(ctx context.Context) bool         { return a.flush(ctx) }
func (a *Aggregator) RollUp(ctx context.Context, n int) bool { return a.rollUp(ctx, n) }
func (a *Aggregator) FillMemory(ctx context.Context)         { a.fillMemory(ctx) }

package server

import (
	"hearth"
	"hearth/internal/live"
	"hearth/internal/store"
)

// recorder gives what happened to the store, and to those who watch.
type recorder struct {
	store store.Telemetry
	live  *live.Hub
}

// RecordInvocation takes the record of a call.
func (r recorder) RecordInvocation(i hearth.Invocation) {
	r.store.RecordInvocation(i)
	r.live.RecordInvocation(i)
}

// RecordLog takes a line that a function wrote.
func (r recorder) RecordLog(l hearth.LogLine) {
	r.store.RecordLog(l)
	r.live.RecordLog(l)
}

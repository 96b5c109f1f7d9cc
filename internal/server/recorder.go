package server

import (
	"hearth"
	"hearth/internal/live"
	"hearth/internal/store"
	"hearth/internal/triage"
)

// recorder gives what happened to the store, and to those who watch.
type recorder struct {
	store store.Telemetry
	live  *live.Hub
}

// RecordInvocation takes the record of a call, and tells failures apart.
func (r recorder) RecordInvocation(i hearth.Invocation) {
	if i.Error != nil && i.Outcome.Failed() {
		c := triage.Of(i.Error)
		i.Fingerprint, i.Frame = c.Fingerprint, c.Frame
	}
	r.store.RecordInvocation(i)
	r.live.RecordInvocation(i)
}

// RecordLog takes a line that a function wrote.
func (r recorder) RecordLog(l hearth.LogLine) {
	r.store.RecordLog(l)
	r.live.RecordLog(l)
}

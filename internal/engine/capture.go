package engine

import (
	"hearth"
	"hearth/internal/wire"
)

// What is captured is decided when an invocation is over: its event is in memory
// until then anyway. Of a reply there is only kept what may be needed, which is
// nothing for one that is complete, unless successes are captured too.

// answer is the reply that a call has had, for the capture.
type answer struct {
	hearth.Answer
}

// captures is the mode of a call's version.
func (c *call) captures() hearth.CaptureMode {
	if m := c.pool.v.Config.Capture; m != "" {
		return m
	}
	return hearth.CaptureErrors
}

// answered notes a reply that begins.
func (c *call) answered(res wire.Result, body []byte, more bool) {
	switch mode := c.captures(); {
	case mode == hearth.CaptureOff:
	case more: // the first of it is copied as it passes
		c.answer = &answer{hearth.Answer{Status: res.Status, Headers: res.Headers}}
	case mode == hearth.CaptureSampled, len(body) > c.e.cfg.MaxReply:
		c.answer = &answer{hearth.Answer{Status: res.Status, Headers: res.Headers, Body: body, Bytes: int64(len(body))}}
	}
}

// add keeps the beginning of a stream.
func (a *answer) add(p []byte) {
	if a == nil {
		return
	}
	a.Bytes += int64(len(p))
	if room := hearth.MaxCapture - len(a.Body); room > 0 {
		a.Body = append(a.Body, p[:min(len(p), room)]...)
	}
}

// capture hands what the call was asked and answered to who keeps it.
func (c *call) capture() {
	if c.pool == nil {
		return
	}
	mode, outcome := c.captures(), c.inv.Outcome
	if mode == hearth.CaptureOff || !(outcome.Failed() || (mode == hearth.CaptureSampled && outcome == hearth.OutcomeOK)) {
		return
	}
	var a *hearth.Answer
	if c.answer != nil {
		a = &c.answer.Answer
	}
	c.inv.Captured = c.e.cfg.Capturer.Capture(&c.inv, c.Event, a)
}

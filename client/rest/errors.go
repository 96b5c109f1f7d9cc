package rest

import (
	"time"

	"hearth"
)

// ErrorGroups lists what failed in a span of time, the last seen first.
type ErrorGroups struct {
	From  time.Time    `json:"from"`
	To    time.Time    `json:"to"`
	Items []ErrorGroup `json:"items"`
}

// ErrorGroup is the failures of a function that are alike: of one type, from one
// place in its code, with one message but for what varies in it. What isn't an
// exception is told apart by its outcome alone.
type ErrorGroup struct {
	Fingerprint  string         `json:"fingerprint" doc:"the same in all of the group's invocations"`
	Function     string         `json:"function"`
	Outcome      hearth.Outcome `json:"outcome"`
	Type         string         `json:"type,omitempty" doc:"class of the exception"`
	Message      string         `json:"message" doc:"of the latest"`
	Frame        string         `json:"frame,omitempty" doc:"where in the function's own code the latest came from: main.py:12 in handler"`
	Count        int64          `json:"count" doc:"in the span"`
	First        time.Time      `json:"first" doc:"ever, as far as it is remembered"`
	Last         time.Time      `json:"last" doc:"ever"`
	FirstVersion int            `json:"first_version"`
	LastVersion  int            `json:"last_version"`
	NewIn        int            `json:"new_in" doc:"the active version, if none before it failed so; else 0"`
	Samples      []string       `json:"samples" doc:"ids of the span's newest invocations, 5 at most"`
	Sparkline    []int64        `json:"sparkline" doc:"counts of 24 equal steps of the span"`
}

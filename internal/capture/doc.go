// Package capture keeps what some invocations were asked and answered, so that
// an author can see why they failed and call again: the first bytes of both,
// with what looks like a secret taken out. What a secret looks like it can only
// guess, by names and forms; it doesn't understand what it reads.
package capture

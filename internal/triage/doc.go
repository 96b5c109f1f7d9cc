// Package triage tells which failures are the same: those of one kind that
// come from one place in a function's code, whatever numbers and names their
// messages hold. It reads the traces of Python and JavaScript; it keeps nothing.
package triage

// Package wire is the engine's end of the protocol that shims speak: frames
// over one byte stream, a stream id for each invocation. protocol.md beside
// this file is the specification, and golden/ holds frames that the tests of
// every implementation replay.
//
// What comes from a shim is hostile. A Conn checks every length before it
// allocates, every frame against what is allowed at that moment, and ends the
// connection with [ErrProtocol] at the first violation. What one connection can
// make the engine hold is bounded: one frame in the making, and for each stream
// one result and its credit.
//
// This package is not for deciding what an invocation's failure means to its
// caller, how long to wait, or how much output to keep: the engine does that.
package wire

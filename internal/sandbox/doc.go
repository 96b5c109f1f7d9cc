// Package sandbox is the contract between the engine and what isolates a
// function: a Driver makes Sandboxes, and everything else (pools, batching,
// keep-alive, time-outs, retries) is written once, in the engine, above it.
//
// # The life of a sandbox
//
//	starting → stem → loading → idle ⇄ busy → draining → dead
//
// Create starts a sandbox that belongs to nobody: a stem cell. It is sealed
// before Create returns, its shim has been through a rehearsal of the very path
// a first call takes, and it waits. A stem cell knows its runtime, its class of
// limits and its network, and nothing else.
//
// Assign makes it one version's, for life: final limits are written, the code
// is put where the shim finds it. The engine then sends a load frame over the
// wire that it got from Dial, and the sandbox imports the code. From there it
// is idle or busy. A used sandbox never becomes a stem cell again; it drains
// and dies.
//
// Any error from a sandbox means that it is to be destroyed. Destroy is the one
// call that must work in every state, concurrently with every other call, any
// number of times, and leave nothing on the host.
//
// # Three examples
//
// A pooled call: the pool holds the result of Create. A request comes:
// Assign (limits and mount, well under a millisecond natively), a load and an
// invoke frame in one write, the reply.
//
// A miss: Create with OnDemand set, then as above; the start class is "forked"
// or "spawned" by Capabilities.Forks and the runtime.
//
// A crash: Done closes, Exit says why, the wire ends. The engine turns that
// into the function's error (its code crashed, or the kernel killed it for
// memory) and calls Destroy.
//
// # What speaks inside
//
// The version's protocol: wire (our shims) or http (a server in a user's
// image). The driver doesn't know; it only carries bytes.
//
// This package holds no driver, and nothing here touches the host.
package sandbox

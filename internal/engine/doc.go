// Package engine is the life of an invocation: admit, pick or start a sandbox,
// send, record. It keeps the functions that can be called, a pool of sandboxes
// for each version, and pools of stem cells. It knows drivers, languages and
// the database by their interfaces only and has never heard of HTTP servers.
package engine

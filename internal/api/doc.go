// Package api is the platform over HTTP: one table of operations under
// /api/v1, the gateway that turns requests into events of functions, and what
// guards both (keys, sessions, roles, limits of size and time). It turns HTTP
// into calls of the engine and the store and is not the place for what they do.
package api

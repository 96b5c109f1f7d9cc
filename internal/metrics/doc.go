// Package metrics counts what happens: a collector on the path of every
// invocation that takes no lock shared between functions, a window of the last
// hour in memory, and the Prometheus view of both. It keeps nothing on disk
// and serves no HTTP.
package metrics

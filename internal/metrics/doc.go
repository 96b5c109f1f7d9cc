// Package metrics counts what happens: a collector on the path of every
// invocation, which takes no lock there; an aggregator that keeps each second,
// makes minutes and hours of them and answers for any time that is kept; and the
// Prometheus view. It knows no database but by the interface of package store,
// serves no HTTP, and isn't the place for records of single invocations.
package metrics

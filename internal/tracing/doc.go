// Package tracing sends spans of calls to an OpenTelemetry collector: one for
// each call, with a child for each phase, made of the call's record when it is
// over. It is told what to do by the standard environment variables (OTEL_*) and
// is off unless they name a collector. It never holds a call up: what the
// collector doesn't take in time is dropped. It doesn't trace the functions; it
// hands them the context that they can go on with.
package tracing

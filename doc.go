// Package hearth names the things that the platform is made of: functions and
// their immutable versions, routes, limits, events, invocations, usage and
// errors. Every other package imports it; it imports nothing but the standard
// library and does no I/O, so it is not the place for behaviour.
package hearth

// Package logs takes the output of functions: it cuts it into lines, caps it
// per invocation, numbers it, hands it to the store and to everyone who tails.
// It doesn't search; the store does.
package logs

// Package runtime knows languages: which interpreters this host has, how a
// function's handler is guessed from its files, and how the language's shim is
// started. Each language has a folder with its Go half, its shim and the
// shim's own tests. It starts nothing itself: that is a driver's work.
package runtime

// Package node offers JavaScript: it finds the Node interpreters of this host,
// guesses handlers, and carries the shim that speaks the wire inside a sandbox
// (shim/, plain JavaScript with tests of its own). It neither starts Node for
// functions nor bundles TypeScript.
package node

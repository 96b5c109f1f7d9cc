// Package rest names the documents that travel between a Hearth server and its
// clients, beyond those that the root package has. Both halves import it, so
// that they can't drift apart. It is not the place for requests, nor for rules.
package rest

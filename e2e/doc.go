// Package e2e holds the numbered end-to-end scenarios: each goes through the
// real binary, on a real server with real sandboxes, as a user would. It is not
// the place for what a package can test by itself.
package e2e

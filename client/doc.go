// Package client is the Go client of a Hearth server's REST API. Every method
// is one operation; errors are *hearth.Error with the code that the server
// gave. The command line and the end-to-end tests use it. It keeps nothing on
// disk and finds no servers: callers give it an address and a key.
package client

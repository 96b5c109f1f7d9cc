// Package cli is the command line: a client of the REST API, one file per
// command. Only serve, up and doctor touch the server's own packages. It holds
// no rules of the platform; the server decides.
package cli

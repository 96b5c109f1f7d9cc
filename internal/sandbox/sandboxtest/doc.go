// Package sandboxtest is the conformance suite of drivers: everything that the
// engine relies on, over the real wire, with real functions in every language
// of the host. A driver's own test is a Config and one call of Run. A bug that
// is found in one driver becomes a case here, for all.
//
// The functions stand below testdata, one module for each language with the
// same names in it. Attacks say for every attempt whether it worked; the tests
// of this package run them outside of any sandbox too, where they must.
//
// The package is not for what only one driver has, nor for the protocol
// between engine and shim, which the shims test in their own language.
package sandboxtest

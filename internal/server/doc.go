// Package server plugs a Hearth server together: configuration, store, bundles,
// languages, drivers, engine, API. It is the only place that knows all of them.
// The program and the tests open the same value. What the parts do is not
// decided here.
package server

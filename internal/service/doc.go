// Package service is the contract of everything that runs in the background:
// how it is started, how it is stopped, and what may be relied on in between.
//
// A service takes the time from package time. Its tests run in a
// testing/synctest bubble, where that clock is a fake one, so there is no clock
// to be passed around.
//
// This package is not for deciding what to run, in what order, or what to do
// when it fails: the server does that.
package service

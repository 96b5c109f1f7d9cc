// Package storetest is the behaviour that every database must show. A
// database's own test is a call of [Run] with a function that opens it empty,
// and one of [RunKilled]. It tests nothing that only one database has.
package storetest

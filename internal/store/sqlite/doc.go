// Package sqlite keeps Hearth's data in one SQLite file, without cgo. It opens,
// checks and migrates the file; the queries are in sqlstore, which it shares
// with other databases.
package sqlite

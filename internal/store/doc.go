// Package store is the contract of the database: functions and their versions,
// routes, users and keys, sessions, invocations and logs. Databases live in
// folders below it and all run the suite in storetest. It knows no SQL itself.
package store

// Package sqlstore is the store in SQL: the queries and the writer that
// batches telemetry, in the common subset of SQLite and PostgreSQL ($1
// placeholders, ON CONFLICT, RETURNING, times as whole microseconds in UTC).
// A database adds a [Dialect], its migrations and an opener. It opens no
// database itself.
package sqlstore

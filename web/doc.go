// Package web holds the dashboard's files inside the binary. It serves nothing
// itself: the API does.
package web

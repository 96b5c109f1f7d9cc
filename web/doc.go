// Package web holds the dashboard inside the binary: what scripts/web.sh built
// of src/ into dist/, or a page in its place. It serves nothing itself: the API
// does.
package web

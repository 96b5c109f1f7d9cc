// Package bundle takes uploaded code: it checks and unpacks archives safely,
// keeps each bundle once under the digest of its content, packs folders on the
// client's side, and removes what no version uses. It never runs anything.
package bundle

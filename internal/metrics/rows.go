package metrics

import (
	"math"
	"slices"
	"sort"
)

// row is a stored window: what happened to a key in the step that begins at.
// Several rows of one key may begin at the same time; they add up.
type row struct {
	id   int64
	at   int64 // Unix seconds
	data []byte
}

// series are rows by key, in the order of their time.
type series map[Key][]*row

func (s series) add(k Key, r *row) {
	rs := s[k]
	i := len(rs)
	for i > 0 && rs[i-1].at > r.at { // a clock was set back
		i--
	}
	s[k] = slices.Insert(rs, i, r)
}

// between returns the rows of a key with from <= at < to.
func (s series) between(k Key, from, to int64) []*row {
	lo, hi := s.bounds(k, from, to)
	return s[k][lo:hi]
}

func (s series) bounds(k Key, from, to int64) (lo, hi int) {
	rs := s[k]
	lo = sort.Search(len(rs), func(i int) bool { return rs[i].at >= from })
	hi = lo + sort.Search(len(rs)-lo, func(i int) bool { return rs[lo+i].at >= to })
	return lo, hi
}

// cut takes the rows with from <= at < to and ids up to lastID out.
func (s series) cut(k Key, from, to, lastID int64) {
	lo, hi := s.bounds(k, from, to)
	rs := s[k]
	kept := make([]*row, 0, len(rs)-(hi-lo)) // the old array goes with what it held
	kept = append(kept, rs[:lo]...)
	for _, r := range rs[lo:hi] {
		if r.id > lastID {
			kept = append(kept, r)
		}
	}
	if kept = append(kept, rs[hi:]...); len(kept) == 0 {
		delete(s, k)
		return
	}
	s[k] = kept
}

// drop takes one row out.
func (s series) drop(k Key, id, at int64) bool {
	lo, hi := s.bounds(k, at, at+1)
	for i := lo; i < hi; i++ {
		if s[k][i].id == id {
			s.cutRow(k, i)
			return true
		}
	}
	return false
}

func (s series) cutRow(k Key, i int) {
	if len(s[k]) == 1 {
		delete(s, k)
		return
	}
	s[k] = slices.Delete(slices.Clone(s[k]), i, i+1)
}

// level is the rows of one step.
type level struct {
	step int64 // seconds
	keep int64 // seconds
	// recent holds all rows from complete on, and none before.
	recent   series
	complete int64
	size     int // rows in recent
	// open holds those that the next level doesn't hold yet. The top has none.
	open series
}

func newLevel(step, keep int64) *level {
	return &level{step: step, keep: keep, recent: series{}, open: series{}}
}

// add takes in a row that was just made.
func (l *level) add(k Key, r *row, top bool) {
	if !top {
		l.open.add(k, r)
	}
	if r.at >= l.complete {
		l.recent.add(k, r)
		l.size++
	}
}

// drop forgets a row as if it had never been.
func (l *level) drop(k Key, id, at int64) {
	l.open.drop(k, id, at)
	if l.recent.drop(k, id, at) {
		l.size--
	}
}

// forget drops the rows that begin before a time from recent.
func (l *level) forget(before int64) {
	if before <= l.complete {
		return
	}
	l.complete, l.size = before, 0
	for k := range l.recent {
		l.recent.cut(k, math.MinInt64, before, math.MaxInt64)
		l.size += len(l.recent[k])
	}
}

// middle returns a time that about half of the recent rows begin before.
func (l *level) middle() int64 {
	first, last := int64(math.MaxInt64), l.complete
	for _, rs := range l.recent {
		first, last = min(first, rs[0].at), max(last, rs[len(rs)-1].at)
	}
	return max(first, l.complete) + max(l.step, (last-max(first, l.complete))/4)
}

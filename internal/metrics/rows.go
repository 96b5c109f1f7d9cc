package metrics

import (
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
	rs := s[k]
	lo := sort.Search(len(rs), func(i int) bool { return rs[i].at >= from })
	hi := lo + sort.Search(len(rs)-lo, func(i int) bool { return rs[lo+i].at >= to })
	return rs[lo:hi]
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

// add takes in a row that was just counted.
func (l *level) add(k Key, r *row, top bool) {
	if !top {
		l.open.add(k, r)
	}
	if r.at >= l.complete {
		l.recent.add(k, r)
		l.size++
	}
}

// forget drops the rows that begin before a time from memory.
func (l *level) forget(before int64) {
	if before <= l.complete {
		return
	}
	l.complete = before
	l.size = 0
	for k, rs := range l.recent {
		n := sort.Search(len(rs), func(i int) bool { return rs[i].at >= before })
		if n == len(rs) {
			delete(l.recent, k)
			continue
		}
		if n > 0 {
			l.recent[k] = slices.Clone(rs[n:]) // the old array goes with what it held
		}
		l.size += len(rs) - n
	}
}

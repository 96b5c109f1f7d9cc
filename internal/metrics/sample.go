package metrics

import "slices"

// sample is what is looked at once a second.
type sample struct {
	boxes map[Key]boxes
	pools map[PoolKey]*pool
	host  host
}

// sample looks. Only the loop calls it.
func (a *Aggregator) sample() sample {
	s := sample{boxes: map[Key]boxes{}, pools: map[PoolKey]*pool{}, host: a.proc.sample()}
	src := a.sources.Load()
	if src.Sandboxes != nil {
		for _, n := range src.Sandboxes() {
			if i := slices.Index(states[:], n.State); i >= 0 {
				b := s.boxes[n.Key]
				b[i] += int64(n.Count)
				s.boxes[n.Key] = b
			}
		}
	}
	if src.Usage != nil {
		for _, u := range src.Usage() {
			a.ObserveUsage(u.Key, u.CPU, u.MemoryPeak)
		}
	}
	if src.Pools != nil {
		for k, p := range byPool(src.Pools()) {
			last := a.hits[k]
			s.pools[k] = &pool{
				n: 1, ready: int64(p.Ready), target: int64(p.Target),
				hits: max(0, p.Hits-last[0]), misses: max(0, p.Misses-last[1]),
			}
			a.hits[k] = [2]int64{p.Hits, p.Misses}
		}
	}
	for k, refills := range a.takeRefills() {
		if s.pools[k] == nil {
			s.pools[k] = &pool{}
		}
		s.pools[k].refill = *refills
	}
	return s
}

// into adds the sample to what a second says of the server.
func (s sample) into(w *server) {
	for k, b := range s.boxes {
		w.addBoxes(k, b)
	}
	for k, p := range s.pools {
		w.pool(k).add(p)
	}
	w.host.add(s.host)
}

// again returns the sample for a further second that has none of its own: the
// state is taken to have been the same, what was counted isn't counted twice.
func (s sample) again() sample {
	out := sample{boxes: s.boxes, host: s.host, pools: map[PoolKey]*pool{}}
	for k, p := range s.pools {
		out.pools[k] = &pool{n: p.n, ready: p.ready, target: p.target}
	}
	return out
}

package metrics

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"hearth"
)

// The lists below give outcomes, starts and states their numbers in stored
// windows: add at the end, never reorder.
var (
	outcomes = [...]hearth.Outcome{
		hearth.OutcomeOK, hearth.OutcomeError, hearth.OutcomeTimeout, hearth.OutcomeOOM, hearth.OutcomeCrashed,
		hearth.OutcomeThrottled, hearth.OutcomeCancelled, hearth.OutcomePlatform,
	}
	starts = [...]hearth.Start{
		hearth.StartWarm, hearth.StartPrewarmed, hearth.StartForked, hearth.StartSpawned, hearth.StartRestored,
	}
	states = [...]string{"starting", "stem", "loading", "idle", "busy", "draining"}
)

const (
	throttled = 5
	unknown   = 7 // what is no outcome that we know is the platform's fault
)

// Key says whose a window is. The zero Key is the whole server.
type Key struct {
	Function string
	Version  int
}

// window is what was counted of one Key in one piece of time.
type window struct {
	calls [len(outcomes)]calls
	start [len(starts)]int64

	queue, cold sketch // seconds
	memory      sketch // bytes
	memoryMax   int64
	cpu, busy   int64 // nanoseconds: as the kernel counts; from having a place to the end
	in, out     int64 // bytes

	*server // of the whole server's windows only
}

// calls are those of one outcome. The durations of throttled ones, which are
// those of refusals, are left out.
type calls struct {
	n        int64
	sum, max int64 // nanoseconds
	duration sketch
}

// server is what is counted once and not for each function.
type server struct {
	seconds int64 // in which it was there
	boxes   map[Key]boxes
	host    host
	pools   map[PoolKey]*pool
}

// boxes adds up, for each state, the sandboxes of each second.
type boxes [len(states)]int64

// host adds up samples.
type host struct {
	n                 int64
	cpu, hearthCPU    float64 // parts of all cores
	memory, hearthMem float64 // bytes
}

// PoolKey names a pool of prewarmed sandboxes.
type PoolKey struct{ Driver, Runtime, Network string }

// pool adds up samples of ready and target, and counts the rest.
type pool struct {
	n, ready, target int64
	hits, misses     int64
	refill           sketch // seconds
}

// count adds an invocation.
func (w *window) count(r *record) {
	c := &w.calls[r.outcome]
	c.n++
	w.in += r.in
	w.out += r.out
	if r.start >= 0 {
		w.start[r.start]++
	}
	if r.outcome == throttled {
		return
	}
	c.sum += int64(r.duration)
	c.max = max(c.max, int64(r.duration))
	c.duration.add(r.duration.Seconds())
	w.queue.add(r.queue.Seconds())
	w.busy += max(0, int64(r.duration-r.queue))
	if r.start > 0 {
		w.cold.add(r.cold.Seconds())
	}
	if r.measured {
		w.used(r.cpu, r.memory)
		w.memory.add(float64(r.memory))
	}
}

// used adds what the kernel has counted.
func (w *window) used(cpu time.Duration, memoryPeak int64) {
	w.cpu += int64(cpu)
	w.memoryMax = max(w.memoryMax, memoryPeak)
}

// merge adds another window.
func (w *window) merge(o *window) {
	for i := range o.calls {
		a, b := &w.calls[i], &o.calls[i]
		a.n += b.n
		a.sum += b.sum
		a.max = max(a.max, b.max)
		a.duration.merge(b.duration)
	}
	for i := range o.start {
		w.start[i] += o.start[i]
	}
	w.queue.merge(o.queue)
	w.cold.merge(o.cold)
	w.memory.merge(o.memory)
	w.memoryMax = max(w.memoryMax, o.memoryMax)
	w.cpu += o.cpu
	w.busy += o.busy
	w.in += o.in
	w.out += o.out
	if o.server != nil {
		w.whole().merge(o.server)
	}
}

func (w *window) whole() *server {
	if w.server == nil {
		w.server = &server{}
	}
	return w.server
}

func (s *server) merge(o *server) {
	s.seconds += o.seconds
	for k, b := range o.boxes {
		s.addBoxes(k, b)
	}
	s.host.add(o.host)
	for k, p := range o.pools {
		s.pool(k).add(p)
	}
}

func (s *server) addBoxes(k Key, b boxes) {
	if s.boxes == nil {
		s.boxes = map[Key]boxes{}
	}
	sum := s.boxes[k]
	sum.add(b)
	s.boxes[k] = sum
}

func (b *boxes) add(o boxes) {
	for i := range o {
		b[i] += o[i]
	}
}

func (h *host) add(o host) {
	h.n += o.n
	h.cpu += o.cpu
	h.hearthCPU += o.hearthCPU
	h.memory += o.memory
	h.hearthMem += o.hearthMem
}

func (s *server) pool(k PoolKey) *pool {
	if s.pools == nil {
		s.pools = map[PoolKey]*pool{}
	}
	p := s.pools[k]
	if p == nil {
		p = &pool{}
		s.pools[k] = p
	}
	return p
}

func (p *pool) add(o *pool) {
	p.n += o.n
	p.ready += o.ready
	p.target += o.target
	p.hits += o.hits
	p.misses += o.misses
	p.refill.merge(o.refill)
}

// A stored window is a byte with the format and then parts, each with a tag and
// a length, so that a later Hearth can add parts that this one skips. Numbers
// are varints; a part that is empty is left out.
const format = 1

const (
	partCalls   = iota + 1 // outcome, n, sum, max, sketch
	partStarts             // (start, n)…
	partQueue              // sketch
	partCold               // sketch
	partMemory             // sketch
	partAmounts            // memoryMax, cpu, busy, in, out
	partSeconds            // n
	partBoxes              // function, version, (state, n)…
	partHost               // n and four floats
	partPool               // three names, n, ready, target, hits, misses, sketch
)

// encode returns the stored form.
func (w *window) encode() []byte {
	e := encoder{b: append(make([]byte, 0, 128), format)}
	for i := range w.calls {
		if c := &w.calls[i]; c.n > 0 {
			e.part(partCalls, func() {
				e.ints(int64(i), c.n, c.sum, c.max)
				e.b = c.duration.encode(e.b)
			})
		}
	}
	e.part(partStarts, func() { e.sparse(w.start[:]) })
	e.part(partQueue, func() { e.b = w.queue.encode(e.b) })
	e.part(partCold, func() { e.b = w.cold.encode(e.b) })
	e.part(partMemory, func() { e.b = w.memory.encode(e.b) })
	if w.memoryMax|w.cpu|w.busy|w.in|w.out != 0 {
		e.part(partAmounts, func() { e.ints(w.memoryMax, w.cpu, w.busy, w.in, w.out) })
	}
	if w.server != nil {
		e.server(w.server)
	}
	return e.b
}

type encoder struct{ b []byte }

func (e *encoder) ints(vs ...int64) {
	for _, v := range vs {
		e.b = binary.AppendUvarint(e.b, uint64(v))
	}
}

func (e *encoder) text(s string) {
	e.ints(int64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) float(v float64) { e.b = binary.LittleEndian.AppendUint64(e.b, math.Float64bits(v)) }

func (e *encoder) sparse(vs []int64) {
	for i, v := range vs {
		if v != 0 {
			e.ints(int64(i), v)
		}
	}
}

// part writes a tag, the length of what body writes, and that; nothing if that
// is nothing.
func (e *encoder) part(tag byte, body func()) {
	begin := len(e.b)
	body()
	n := len(e.b) - begin
	if n == 0 {
		return
	}
	var head [1 + binary.MaxVarintLen64]byte
	head[0] = tag
	h := 1 + binary.PutUvarint(head[1:], uint64(n))
	e.b = slices.Insert(e.b, begin, head[:h]...)
}

func (e *encoder) server(s *server) {
	e.part(partSeconds, func() { e.ints(s.seconds) })
	for _, k := range slices.SortedFunc(maps.Keys(s.boxes), compareKeys) {
		b := s.boxes[k]
		e.part(partBoxes, func() { e.text(k.Function); e.ints(int64(k.Version)); e.sparse(b[:]) })
	}
	if h := s.host; h.n > 0 {
		e.part(partHost, func() {
			e.ints(h.n)
			for _, v := range []float64{h.cpu, h.hearthCPU, h.memory, h.hearthMem} {
				e.float(v)
			}
		})
	}
	for _, k := range slices.SortedFunc(maps.Keys(s.pools), comparePools) {
		p := s.pools[k]
		e.part(partPool, func() {
			e.text(k.Driver)
			e.text(k.Runtime)
			e.text(k.Network)
			e.ints(p.n, p.ready, p.target, p.hits, p.misses)
			e.b = p.refill.encode(e.b)
		})
	}
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Function, b.Function), cmp.Compare(a.Version, b.Version))
}

func comparePools(a, b PoolKey) int {
	return cmp.Or(cmp.Compare(a.Driver, b.Driver), cmp.Compare(a.Runtime, b.Runtime), cmp.Compare(a.Network, b.Network))
}

var errWindow = errors.New("a stored window of metrics is damaged")

// decoder reads the numbers of a part. After a mistake it reads zeros.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) int() int64 {
	if len(d.b) > 0 && d.b[0] < 0x80 { // most are small
		v := d.b[0]
		d.b = d.b[1:]
		return int64(v)
	}
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > math.MaxInt64 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return int64(v)
}

func (d *decoder) take(n int64) []byte {
	if n > int64(len(d.b)) {
		d.bad, d.b = true, nil
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) text() string { return string(d.take(d.int())) }

func (d *decoder) float() float64 {
	p := d.take(8)
	if len(p) < 8 {
		return 0
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p))
}

// sparse adds pairs to vs; what is beyond it comes from a later Hearth.
func (d *decoder) sparse(vs []int64) {
	for len(d.b) > 0 {
		i, v := d.int(), d.int()
		if i < int64(len(vs)) {
			vs[i] += v
		}
	}
}

// newDecoder returns one that reads the parts of a stored window.
func newDecoder(b []byte) (decoder, error) {
	if len(b) == 0 || b[0] != format {
		return decoder{}, fmt.Errorf("%w: its format isn't known", errWindow)
	}
	return decoder{b: b[1:]}, nil
}

// part reads the next part.
func (d *decoder) part() (tag byte, part decoder, err error) {
	tag = d.b[0]
	d.b = d.b[1:]
	part.b = d.take(d.int())
	if d.bad {
		err = errWindow
	}
	return tag, part, err
}

// parts calls fn with each part of a stored window.
func parts(b []byte, fn func(tag byte, d *decoder) error) error {
	d, err := newDecoder(b)
	for err == nil && len(d.b) > 0 {
		var tag byte
		var p decoder
		if tag, p, err = d.part(); err == nil {
			err = fn(tag, &p)
		}
		if err == nil && p.bad {
			err = errWindow
		}
	}
	return err
}

// mergeBytes adds a stored window.
func (w *window) mergeBytes(b []byte) error {
	return parts(b, func(tag byte, d *decoder) error {
		switch tag {
		case partCalls:
			i := min(d.int(), unknown)
			c := &w.calls[i]
			c.n += d.int()
			c.sum += d.int()
			c.max = max(c.max, d.int())
			return c.duration.mergeBytes(d.b)
		case partStarts:
			d.sparse(w.start[:])
		case partQueue:
			return w.queue.mergeBytes(d.b)
		case partCold:
			return w.cold.mergeBytes(d.b)
		case partMemory:
			return w.memory.mergeBytes(d.b)
		case partAmounts:
			w.memoryMax = max(w.memoryMax, d.int())
			for _, sum := range []*int64{&w.cpu, &w.busy, &w.in, &w.out} {
				*sum += d.int()
			}
		default:
			return w.mergeServer(tag, d)
		}
		return nil
	})
}

func (w *window) mergeServer(tag byte, d *decoder) error {
	switch tag {
	case partSeconds:
		w.whole().seconds += d.int()
	case partBoxes:
		k, b := d.boxes()
		w.whole().addBoxes(k, b)
	case partHost:
		w.whole().host.add(d.host())
	case partPool:
		k, p, refill := d.pool()
		sum := w.whole().pool(k)
		sum.add(&p)
		return sum.refill.mergeBytes(refill)
	}
	return nil
}

func (d *decoder) boxes() (k Key, b boxes) {
	k = Key{d.text(), int(d.int())}
	d.sparse(b[:])
	return k, b
}

func (d *decoder) host() host {
	return host{n: d.int(), cpu: d.float(), hearthCPU: d.float(), memory: d.float(), hearthMem: d.float()}
}

func (d *decoder) pool() (k PoolKey, p pool, refill []byte) {
	k = PoolKey{d.text(), d.text(), d.text()}
	p = pool{n: d.int(), ready: d.int(), target: d.int(), hits: d.int(), misses: d.int()}
	return k, p, d.b
}

// Outcomes lists the outcomes that are told apart.
func Outcomes() []hearth.Outcome { return slices.Clone(outcomes[:]) }

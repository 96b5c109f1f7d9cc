package metrics

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"hearth"
)

// Field is a part of an answer that costs something.
type Field uint

// The fields.
const (
	FieldDuration Field = 1 << iota
	FieldQueue
	FieldStart
	FieldMemory
	FieldSandboxes
	FieldPools
	FieldHost
	FieldTotal // durations of the total alone, which cost less than FieldDuration
)

// Every asks for each function by itself.
const Every = "*"

// Query asks for what was counted from From to To in steps of Step, both moved
// to the ends of a step.
type Query struct {
	Functions []string // none is the whole server, [Every] each that had calls
	Version   int      // 0 is all; only of named functions
	ByVersion bool     // a series for each version rather than for the function
	Outcomes  []hearth.Outcome
	From, To  time.Time
	Step      time.Duration // whole seconds; 0 chooses one that makes MaxSteps or less
	Fields    Field
	Totals    bool // no steps, only what they come to together; From and To move less
}

// MaxSteps is how many steps an answer has where the caller names none.
const MaxSteps = 120

// Result answers a Query.
type Result struct {
	From, To int64   // Unix seconds
	Step     int64   // seconds
	Seconds  []int64 // for each step, how many the server was there; 0 is a gap
	Series   []Series
	Host     []*HostPoint // for each step, nil where nothing is known
	Pools    []PoolSeries
}

// Series is a function, a version or the whole server.
type Series struct {
	Key
	Points    []*Point             // nil where nothing happened
	Sandboxes map[string][]float64 // by state, the mean of each step
	Total     Point
}

// Point is what happened in a step, or in all.
type Point struct {
	Requests, Errors, Throttled, ColdStarts int64
	outcomes                                [len(outcomes)]int64
	starts                                  [len(starts)]int64
	Duration, Queue, Start                  Values  // seconds
	Memory                                  Values  // bytes
	MemoryMax                               int64   // bytes
	CPU, Busy                               float64 // seconds
	BytesIn, BytesOut                       int64
}

// Outcome returns how many ended so.
func (p *Point) Outcome(o hearth.Outcome) int64 { return of(outcomes[:], p.outcomes[:], o) }

// StartedAs returns how many sandboxes came to be so.
func (p *Point) StartedAs(s hearth.Start) int64 { return of(starts[:], p.starts[:], s) }

// Outcomes returns the outcomes that occurred.
func (p *Point) Outcomes() map[hearth.Outcome]int64 { return occurred(outcomes[:], p.outcomes[:]) }

// Starts returns the starts that occurred.
func (p *Point) Starts() map[hearth.Start]int64 { return occurred(starts[:], p.starts[:]) }

func of[K comparable](names []K, counts []int64, name K) int64 {
	if i := slices.Index(names, name); i >= 0 {
		return counts[i]
	}
	return 0
}

func occurred[K comparable](names []K, counts []int64) map[K]int64 {
	m := map[K]int64{}
	for i, n := range counts {
		if n != 0 {
			m[names[i]] = n
		}
	}
	return m
}

// Values describes measured values; all is zero if there are none.
type Values struct {
	N                  int64
	P50, P90, P95, P99 float64
	Max, Mean          float64 // exact, of durations only
}

// HostPoint is the host in a step, as means.
type HostPoint struct {
	CPU, HearthCPU       float64 // parts of all cores
	Memory, HearthMemory float64 // bytes
}

// PoolSeries is a pool of prewarmed sandboxes.
type PoolSeries struct {
	PoolKey
	Points []*PoolPoint
}

// PoolPoint is a pool in a step.
type PoolPoint struct {
	Ready, Target float64 // means
	Hits, Misses  int64
	Refill        Values // seconds
}

// steps are the ones that an answer may have if nobody names one.
var steps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// StepFor returns the shortest step that cuts span in MaxSteps or less.
func StepFor(span time.Duration) time.Duration {
	for _, s := range steps {
		if span <= MaxSteps*s {
			return s
		}
	}
	return span / MaxSteps
}

// plan is a query with its steps laid out.
type plan struct {
	Query
	from, to, step int64
	level          int
	outcomes       [len(outcomes)]bool
	all            bool // outcomes
}

func (p *plan) steps() int { return int((p.to - p.from) / p.step) }

func (p *plan) index(at int64) int { return int((at - p.from) / p.step) }

// key returns the series that a window belongs to, false if to none.
func (p *plan) key(k Key) (Key, bool) {
	if len(p.Functions) == 0 {
		return Key{}, true
	}
	if k.Function == "" || !slices.Contains(p.Functions, k.Function) && p.Functions[0] != Every {
		return Key{}, false
	}
	if p.Version != 0 && k.Version != p.Version {
		return Key{}, false
	}
	if !p.ByVersion {
		k.Version = p.Version
	}
	return k, true
}

// wants reports whether windows of k are needed. Those of the whole server
// always are: they tell when there was one.
func (p *plan) wants(k Key) bool {
	if k == (Key{}) {
		return true
	}
	k, ok := p.key(k)
	return ok && k != (Key{})
}

// plan chooses the level: the finest that the step needs and that reaches back
// to the beginning.
func (a *Aggregator) plan(q Query, now time.Time) plan {
	p := plan{Query: q, step: int64(q.Step / time.Second), all: len(q.Outcomes) == 0}
	if p.step == 0 {
		p.step = int64(StepFor(q.To.Sub(q.From)) / time.Second)
	}
	for p.level < len(a.levels)-1 {
		l, next := a.levels[p.level], a.levels[p.level+1]
		if p.step < next.step && q.From.Unix() >= now.Unix()-l.keep-slack {
			break
		}
		p.level++
	}
	width := a.levels[p.level].step
	if q.Totals {
		p.step = width
		if q.Fields&FieldTotal != 0 {
			p.Fields |= FieldDuration
		}
	}
	p.step = max(width, (p.step+width-1)/width*width)
	p.from = floor(q.From.Unix(), p.step)
	p.to = max(p.from+p.step, floor(q.To.Add(time.Duration(p.step)*time.Second-1).Unix(), p.step))
	for i, o := range outcomes {
		p.outcomes[i] = p.all || slices.Contains(q.Outcomes, o)
	}
	return p
}

// slack is how much longer than kept a level can be asked for: who asks for
// the last two hours does it a moment later.
const slack = 5

func floor(v, step int64) int64 {
	r := v % step
	if r < 0 {
		r += step
	}
	return v - r
}

// Query answers q.
func (a *Aggregator) Query(ctx context.Context, q Query) (*Result, error) {
	now := a.o.Now()
	p := a.plan(q, now)
	ans := newAnswer(&p)
	if err := a.visit(ctx, &p, now, ans.add); err != nil {
		return nil, err
	}
	return ans.result()
}

// answer collects the windows that a query needs.
type answer struct {
	p     *plan
	rows  map[Key][]*row // of each series
	whole []*row         // of the whole server
}

func newAnswer(p *plan) *answer {
	ans := &answer{p: p, rows: map[Key][]*row{}}
	for _, f := range p.Functions {
		if f != Every && !p.ByVersion {
			ans.rows[Key{f, p.Version}] = nil
		}
	}
	return ans
}

func (ans *answer) add(k Key, rs ...*row) {
	if k == (Key{}) {
		ans.whole = append(ans.whole, rs...)
		return
	}
	if k, ok := ans.p.key(k); ok && k != (Key{}) {
		ans.rows[k] = append(ans.rows[k], rs...)
	}
}

func (ans *answer) result() (*Result, error) {
	p := ans.p
	res := &Result{From: p.from, To: p.to, Step: p.step, Seconds: make([]int64, p.steps())}
	byTime(ans.whole)
	server, err := ans.server(res)
	if err != nil {
		return nil, err
	}
	rows := ans.rows
	if len(p.Functions) == 0 {
		rows = map[Key][]*row{{}: ans.whole}
	}
	for k := range server.boxes {
		if _, ok := rows[k]; !ok {
			rows[k] = nil // it had sandboxes, though no calls
		}
	}
	acc := newAccumulator(p)
	for _, k := range slices.SortedFunc(maps.Keys(rows), compareKeys) {
		byTime(rows[k])
		s, err := acc.series(k, rows[k])
		if err != nil {
			return nil, err
		}
		if p.Fields&FieldSandboxes != 0 {
			s.Sandboxes = server.means(k, res.Seconds)
		}
		res.Series = append(res.Series, s)
	}
	return res, nil
}

func byTime(rs []*row) {
	if slices.IsSortedFunc(rs, func(a, b *row) int { return cmp.Compare(a.at, b.at) }) {
		return
	}
	slices.SortStableFunc(rs, func(a, b *row) int { return cmp.Compare(a.at, b.at) })
}

// accumulator makes points of rows. It is used for one series after another.
type accumulator struct {
	p           *plan
	step, total sums
}

// sums is what a point is made of.
type sums struct {
	outcomes                      [len(outcomes)]int64
	starts                        [len(starts)]int64
	sum, max                      int64
	duration, queue, cold, memory sketch
	durations                     *sketch // duration, or where else durations go
	memoryMax, cpu, busy, in, out int64
}

func newAccumulator(p *plan) *accumulator { return &accumulator{p: p} }

func (s *sums) reset() {
	keep := [...]sketch{s.duration, s.queue, s.cold, s.memory}
	for i := range keep {
		keep[i].clear()
	}
	*s = sums{duration: keep[0], queue: keep[1], cold: keep[2], memory: keep[3]}
	s.durations = &s.duration
}

// series makes the series of rows that are in the order of their time.
func (acc *accumulator) series(k Key, rows []*row) (Series, error) {
	p := acc.p
	s := Series{Key: k}
	acc.total.reset()
	if p.Totals {
		for _, r := range rows {
			if err := acc.total.add(p, r.data); err != nil {
				return s, err
			}
		}
		rows = nil
	} else {
		s.Points = make([]*Point, p.steps())
	}
	for len(rows) > 0 {
		i := p.index(rows[0].at)
		n := 1
		for n < len(rows) && p.index(rows[n].at) == i {
			n++
		}
		acc.step.reset()
		if p.Fields&FieldDuration == 0 {
			acc.step.durations = &acc.total.duration
		}
		for _, r := range rows[:n] {
			if err := acc.step.add(p, r.data); err != nil {
				return s, err
			}
		}
		rows = rows[n:]
		s.Points[i] = acc.step.point(p)
		acc.total.merge(&acc.step)
	}
	if pt := acc.total.point(p); pt != nil {
		s.Total = *pt
	}
	return s, nil
}

// add adds what p asks for of a stored window.
func (s *sums) add(p *plan, b []byte) error {
	d, err := newDecoder(b)
	for err == nil && len(d.b) > 0 {
		var tag byte
		var part decoder
		if tag, part, err = d.part(); err == nil {
			err = s.addPart(p, tag, &part)
		}
	}
	return err
}

func (s *sums) addPart(p *plan, tag byte, d *decoder) (err error) {
	switch tag {
	case partCalls:
		i := min(d.int(), unknown)
		if !p.outcomes[i] {
			return nil
		}
		s.outcomes[i] += d.int()
		s.sum += d.int()
		s.max = max(s.max, d.int())
		err = s.durations.wanted(p, FieldDuration|FieldTotal, d)
	case partStarts:
		d.sparse(s.starts[:])
	case partQueue:
		err = s.queue.wanted(p, FieldQueue, d)
	case partCold:
		err = s.cold.wanted(p, FieldStart, d)
	case partMemory:
		err = s.memory.wanted(p, FieldMemory, d)
	case partAmounts:
		s.memoryMax = max(s.memoryMax, d.int())
		s.cpu += d.int()
		s.busy += d.int()
		s.in += d.int()
		s.out += d.int()
	}
	if d.bad {
		return errWindow
	}
	return err
}

func (s *sketch) wanted(p *plan, f Field, d *decoder) error {
	if p.Fields&f == 0 {
		return nil
	}
	return s.mergeBytes(d.b)
}

func (s *sums) merge(o *sums) {
	for i, n := range o.outcomes {
		s.outcomes[i] += n
	}
	for i, n := range o.starts {
		s.starts[i] += n
	}
	s.sum += o.sum
	s.max = max(s.max, o.max)
	s.duration.mergeLarge(o.duration)
	s.queue.mergeLarge(o.queue)
	s.cold.mergeLarge(o.cold)
	s.memory.mergeLarge(o.memory)
	s.memoryMax = max(s.memoryMax, o.memoryMax)
	s.cpu += o.cpu
	s.busy += o.busy
	s.in += o.in
	s.out += o.out
}

func (s *sketch) mergeLarge(o sketch) {
	if o.dd != nil && !o.dd.IsEmpty() {
		_ = s.large().MergeWith(o.dd) // it fails for another accuracy only
	}
}

// point returns nil if nothing happened.
func (s *sums) point(p *plan) *Point {
	pt := &Point{
		MemoryMax: s.memoryMax, CPU: seconds(s.cpu), Busy: seconds(s.busy), BytesIn: s.in, BytesOut: s.out,
		outcomes: s.outcomes, starts: s.starts,
	}
	for i, n := range s.outcomes {
		pt.Requests += n
		switch outcomes[i] {
		case hearth.OutcomeThrottled:
			pt.Throttled += n
		case hearth.OutcomeOK, hearth.OutcomeCancelled:
		default:
			pt.Errors += n
		}
	}
	for _, n := range s.starts[1:] {
		pt.ColdStarts += n
	}
	if pt.Requests == 0 && s.cpu == 0 {
		return nil
	}
	if ran := pt.Requests - pt.Throttled; ran > 0 {
		pt.Duration = s.duration.values(seconds(s.max))
		pt.Duration.N, pt.Duration.Max, pt.Duration.Mean = ran, seconds(s.max), seconds(s.sum)/float64(ran)
	}
	pt.Queue, pt.Start = s.queue.values(math.Inf(1)), s.cold.values(math.Inf(1))
	pt.Memory = s.memory.values(float64(s.memoryMax))
	return pt
}

func seconds(ns int64) float64 { return float64(ns) / float64(time.Second) }

// values reads the quantiles. None is above the longest value, where that is
// known exactly.
func (s sketch) values(most float64) Values {
	n := s.count()
	if n == 0 {
		return Values{}
	}
	v := Values{N: int64(n)}
	for _, q := range []struct {
		at  float64
		dst *float64
	}{{.5, &v.P50}, {.9, &v.P90}, {.95, &v.P95}, {.99, &v.P99}} {
		x, _ := s.quantile(q.at)
		*q.dst = min(x, most)
	}
	return v
}

// serverSteps is what the windows of the whole server say besides calls.
type serverSteps struct {
	boxes map[Key][]boxes // of the series asked for, by step
}

// server fills the parts of res that belong to no function.
func (ans *answer) server(res *Result) (*serverSteps, error) {
	p := ans.p
	out := &serverSteps{boxes: map[Key][]boxes{}}
	hosts := make([]host, p.steps())
	pools := map[PoolKey][]*pool{}
	called := make([]bool, p.steps())
	for _, r := range ans.whole {
		i := p.index(r.at)
		err := parts(r.data, func(tag byte, d *decoder) error {
			switch {
			case tag == partSeconds:
				res.Seconds[i] += d.int()
			case tag == partCalls:
				called[i] = true
			case tag == partBoxes && p.Fields&FieldSandboxes != 0:
				out.add(p, i, d)
			case tag == partHost && p.Fields&FieldHost != 0:
				hosts[i].add(d.host())
			case tag == partPool && p.Fields&FieldPools != 0:
				k, one, refill := d.pool()
				if pools[k] == nil {
					pools[k] = make([]*pool, p.steps())
				}
				if pools[k][i] == nil {
					pools[k][i] = &pool{}
				}
				pools[k][i].add(&one)
				return pools[k][i].refill.mergeBytes(refill)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for i, n := range res.Seconds {
		if called[i] {
			n = max(1, n) // somebody answered, in a second that was never over
		}
		res.Seconds[i] = min(p.step, n) // some were there twice, when a clock was set back
	}
	if p.Fields&FieldHost != 0 {
		res.Host = make([]*HostPoint, p.steps())
		for i, h := range hosts {
			if n := float64(h.n); n > 0 {
				res.Host[i] = &HostPoint{h.cpu / n, h.hearthCPU / n, h.memory / n, h.hearthMem / n}
			}
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(pools), comparePools) {
		s := PoolSeries{PoolKey: k, Points: make([]*PoolPoint, p.steps())}
		for i, o := range pools[k] {
			if o != nil && o.n > 0 {
				n := float64(o.n)
				s.Points[i] = &PoolPoint{float64(o.ready) / n, float64(o.target) / n, o.hits, o.misses, o.refill.values(math.Inf(1))}
			}
		}
		res.Pools = append(res.Pools, s)
	}
	return out, nil
}

func (s *serverSteps) add(p *plan, step int, d *decoder) {
	k, b := d.boxes()
	k, ok := p.key(k)
	if !ok {
		return
	}
	if s.boxes[k] == nil {
		s.boxes[k] = make([]boxes, p.steps())
	}
	s.boxes[k][step].add(b)
}

// means returns the mean of each state that occurred, for each step.
func (s *serverSteps) means(k Key, seconds []int64) map[string][]float64 {
	out := map[string][]float64{}
	for step, b := range s.boxes[k] {
		for i, n := range b {
			if n == 0 || seconds[step] == 0 {
				continue
			}
			name := states[i]
			if out[name] == nil {
				out[name] = make([]float64, len(seconds))
			}
			out[name][step] = float64(n) / float64(seconds[step])
		}
	}
	return out
}

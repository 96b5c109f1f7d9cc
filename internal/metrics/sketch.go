package metrics

import (
	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
)

// accuracy is how far a quantile may be off, as a part of itself.
const accuracy = 0.01

// maxBins bounds a sketch. It spans from a nanosecond to centuries, so nothing
// is ever collapsed.
const maxBins = 2048

// sketch tells the quantiles of values that aren't negative. The zero value is
// empty and takes no memory.
type sketch struct{ dd *ddsketch.DDSketch }

func logMapping() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err) // the accuracy is a constant
	}
	return m
}

// Two layouts: few values are many sketches, each second one for each function;
// many values come together in those that questions are answered with.
func (s *sketch) small() *ddsketch.DDSketch {
	if s.dd == nil {
		s.dd = ddsketch.NewDDSketch(logMapping(), store.NewBufferedPaginatedStore(), store.NewSparseStore())
	}
	return s.dd
}

func (s *sketch) large() *ddsketch.DDSketch {
	if s.dd == nil {
		s.dd = ddsketch.NewDDSketch(logMapping(), store.NewCollapsingLowestDenseStore(maxBins), store.NewSparseStore())
	}
	return s.dd
}

// add adds a value. It fails for values that nothing measured has.
func (s *sketch) add(v float64) { _ = s.small().Add(max(0, v)) }

// merge adds the values of another.
func (s *sketch) merge(o sketch) {
	if o.dd != nil {
		_ = s.small().MergeWith(o.dd) // it fails for another accuracy only
	}
}

// mergeBytes adds the values of one that was encoded.
func (s *sketch) mergeBytes(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return s.large().DecodeAndMergeWith(b)
}

// encode appends the sketch to b. An empty one is no bytes.
func (s sketch) encode(b []byte) []byte {
	if s.dd != nil {
		s.dd.Encode(&b, true)
	}
	return b
}

func (s *sketch) clear() {
	if s.dd != nil {
		s.dd.Clear()
	}
}

func (s sketch) count() float64 {
	if s.dd == nil {
		return 0
	}
	return s.dd.GetCount()
}

// quantile returns the value at a rank, false if there are no values.
func (s sketch) quantile(q float64) (float64, bool) {
	if s.dd == nil {
		return 0, false
	}
	v, err := s.dd.GetValueAtQuantile(q)
	return v, err == nil
}

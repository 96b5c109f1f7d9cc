package cli

import (
	"math"
	"strings"
)

var sparks = []rune("▁▂▃▄▅▆▇█")

// spark draws values as a line of at most width blocks, the highest of them
// full. Neighbours share a block where there are too many, which is then as high
// as the highest of them. A nil is a gap; where all are, there is nothing.
func spark[T int64 | float64](values []*T, width int) string {
	if len(values) == 0 || width <= 0 {
		return ""
	}
	n := min(width, len(values))
	highest := make([]float64, n)
	top := math.Inf(-1)
	for i := range highest {
		highest[i] = math.NaN()
		for _, v := range values[i*len(values)/n : (i+1)*len(values)/n] {
			if v != nil && !(float64(*v) <= highest[i]) { // true for NaN, too
				highest[i] = float64(*v)
			}
		}
		if highest[i] > top {
			top = highest[i]
		}
	}
	if math.IsInf(top, -1) {
		return ""
	}
	var b strings.Builder
	for _, v := range highest {
		switch {
		case math.IsNaN(v):
			b.WriteByte(' ')
		case v <= 0 || top <= 0:
			b.WriteRune(sparks[0])
		default: // whatever is more than nothing is seen to be
			b.WriteRune(sparks[max(1, int(math.Ceil(v/top*float64(len(sparks))))-1)])
		}
	}
	return b.String()
}

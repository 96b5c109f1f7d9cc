package cli

import (
	"testing"
)

func TestSpark(t *testing.T) {
	p := func(v float64) *float64 { return &v }
	for _, tt := range []struct {
		name   string
		values []*float64
		width  int
		want   string
	}{
		{"nothing", nil, 10, ""},
		{"gaps alone", []*float64{nil, nil}, 10, ""},
		{"zeros", []*float64{p(0), p(0)}, 10, "▁▁"},
		{"steps", []*float64{p(0), p(1), p(2), p(3), p(4), p(5), p(6), p(7), p(8)}, 10, "▁▂▂▃▄▅▆▇█"},
		{"little beside much", []*float64{p(0), p(0.001), p(1000)}, 10, "▁▂█"},
		{"a gap", []*float64{p(4), nil, p(8)}, 10, "▄ █"},
		{"the highest of neighbours", []*float64{p(0), p(8), p(0), p(0), p(4), p(1)}, 3, "█▁▄"},
		{"a gap beside a value", []*float64{nil, p(8), nil, nil}, 2, "█ "},
		{"no room", []*float64{p(1)}, 0, ""},
	} {
		if got := spark(tt.values, tt.width); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
	n := int64(3)
	if got := spark([]*int64{&n}, 5); got != "█" {
		t.Errorf("of whole numbers: %q", got)
	}
}

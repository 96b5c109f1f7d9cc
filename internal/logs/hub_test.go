package logs_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"hearth"
	"hearth/internal/logs"
)

// recorder remembers lines.
type recorder struct {
	mu    sync.Mutex
	lines []hearth.LogLine
}

func (r *recorder) RecordLog(l hearth.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
}

// texts returns the lines as "stream: text", with the level if there is one.
func (r *recorder) texts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := []string{}
	for _, l := range r.lines {
		s := l.Stream
		if l.Level != "" {
			s += " " + l.Level
		}
		out = append(out, s+": "+l.Text)
	}
	return out
}

func wantTexts(t *testing.T, r *recorder, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, r.texts()); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

func TestPiecesBecomeLines(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{}).Writer("f", 1, "I1")
	at := time.Unix(100, 0)
	w.Write("stdout", "", at, []byte("one\ntw"))
	w.Write("stderr", "", at, []byte("err"))
	w.Write("stdout", "", at, []byte("o\n\nlast"))
	wantTexts(t, r, "stdout: one", "stdout: two", "stdout: ")
	w.Close()
	w.Close()
	wantTexts(t, r, "stdout: one", "stdout: two", "stdout: ", "stderr: err", "stdout: last")
	w.Write("stdout", "", at, []byte("too late\n"))
	if n := len(r.texts()); n != 5 {
		t.Errorf("%d lines after close", n)
	}
}

func TestLinesSayWhereTheyComeFrom(t *testing.T) {
	r := &recorder{}
	at := time.Date(2024, 1, 2, 3, 4, 5, 6_700_000, time.FixedZone("X", 3600))
	logs.New(r, logs.Options{FirstSeq: 70}).Writer("f", 3, "I1").Write("stderr", "WARNING", at, []byte("careful"))
	want := []hearth.LogLine{{Seq: 70, At: time.Date(2024, 1, 2, 2, 4, 5, 6_000_000, time.UTC), Function: "f", Version: 3, Invocation: "I1", Stream: "stderr", Level: "WARNING", Text: "careful"}}
	if d := cmp.Diff(want, r.lines); d != "" {
		t.Error(d)
	}
}

func TestALevelEndsTheLineBefore(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{}).Writer("f", 1, "I1")
	w.Write("stderr", "", time.Time{}, []byte("progress 50%"))
	w.Write("stderr", "ERROR", time.Time{}, []byte("a\nb"))
	w.Write("stderr", "", time.Time{}, []byte("plain\n"))
	wantTexts(t, r, "stderr: progress 50%", "stderr ERROR: a", "stderr ERROR: b", "stderr: plain")
}

func TestPartialLineHasTheTimeOfItsBeginning(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{}).Writer("f", 1, "I1")
	w.Write("stdout", "", time.Unix(1, 0), []byte("a"))
	w.Write("stdout", "", time.Unix(2, 0), []byte("b\nc\n"))
	if !r.lines[0].At.Equal(time.Unix(1, 0)) || !r.lines[1].At.Equal(time.Unix(2, 0)) {
		t.Errorf("times are %v and %v", r.lines[0].At, r.lines[1].At)
	}
}

func TestLongLinesAreCutAndMarked(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{MaxLineBytes: 10}).Writer("f", 1, "I1")
	w.Write("stdout", "", time.Time{}, []byte("0123456789\n"))
	w.Write("stdout", "", time.Time{}, []byte("0123456789abc\nnext\n"))
	for range 5 {
		w.Write("stderr", "", time.Time{}, []byte("xyz"))
	}
	w.Write("stderr", "", time.Time{}, []byte("\n"))
	w.Write("stdout", "", time.Time{}, []byte("012345678é\n")) // the limit falls within é
	wantTexts(t, r, "stdout: 0123456789", "stdout: 0123456789 … (3 bytes cut)", "stdout: next",
		"stderr: xyzxyzxyzx … (5 bytes cut)", "stdout: 012345678 … (2 bytes cut)")
}

func TestStrangeBytesBecomeText(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{}).Writer("f", 1, "I1")
	w.Write("stdout", "", time.Time{}, []byte("a\xffb\x00c\r\nd\re\n"))
	wantTexts(t, r, "stdout: a\ufffdb\ufffdc", "stdout: d\re")
}

func TestAnInvocationThatFloodsIsCapped(t *testing.T) {
	r := &recorder{}
	h := logs.New(r, logs.Options{MaxInvocationBytes: 1 << 10})
	w := h.Writer("f", 1, "I1")
	line := []byte(strings.Repeat("x", 127) + "\n")
	for range 20 {
		w.Write("stdout", "", time.Time{}, line)
	}
	w.Platform("killed after %s", time.Second)
	w.Close()
	got := r.texts()
	if len(got) != 10 || got[8] != "platform: killed after 1s" ||
		got[9] != "platform: … 12 lines (1536 bytes) dropped over the limit of 1 KiB" {
		t.Errorf("%d lines, the last: %q", len(got), got[len(got)-2:])
	}
	other := h.Writer("f", 1, "I2")
	other.Write("stdout", "", time.Time{}, []byte("hi\n"))
	if got := r.texts(); got[len(got)-1] != "stdout: hi" {
		t.Error("another invocation pays for it")
	}
}

func TestALineWithoutEndTakesNoMoreThanItsLimit(t *testing.T) {
	r := &recorder{}
	w := logs.New(r, logs.Options{}).Writer("f", 1, "I1")
	piece := bytes.Repeat([]byte("x"), 64<<10)
	for range 1000 {
		w.Write("stdout", "", time.Time{}, piece)
	}
	w.Close()
	if len(r.lines) != 1 || len(r.lines[0].Text) > 9<<10 {
		t.Errorf("%d lines, the first of %d bytes", len(r.lines), len(r.lines[0].Text))
	}
}

func TestOutputBetweenInvocationsIsCappedByTheMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{}
		w := logs.New(r, logs.Options{MaxInvocationBytes: 10}).Writer("f", 1, "")
		for range 2 {
			for range 3 {
				w.Write("stdout", "", time.Time{}, []byte("1234567\n"))
			}
			time.Sleep(61 * time.Second) // of the bubble's clock
		}
		w.Close()
		dropped := "platform: … 2 lines (16 bytes) dropped over the limit of 10 bytes"
		wantTexts(t, r, "stdout: 1234567", dropped, "stdout: 1234567", dropped)
	})
}

func TestSubscribersGetWhatTheyAskedFor(t *testing.T) {
	h := logs.New(nil, logs.Options{})
	subs := map[string]*logs.Subscription{
		"all": h.Subscribe(logs.Filter{}), "a": h.Subscribe(logs.Filter{Function: "a"}), "v2": h.Subscribe(logs.Filter{Version: 2}),
		"I2": h.Subscribe(logs.Filter{Invocation: "I2"}), "stderr": h.Subscribe(logs.Filter{Stream: "stderr"}), "text": h.Subscribe(logs.Filter{Text: "ÄR"}),
		"level": h.Subscribe(logs.Filter{Levels: []hearth.Level{hearth.LevelError, hearth.LevelWarn}}),
	}
	h.Writer("a", 1, "I1").Write("stdout", "", time.Time{}, []byte("1\n"))
	h.Writer("b", 2, "I2").Write("stdout", "CRITICAL", time.Time{}, []byte("2 Ärger\n"))
	h.Writer("a", 3, "I3").Write("stderr", "", time.Time{}, []byte("3\n"))
	h.Close()
	for name, want := range map[string]string{"all": "[1 2 3]", "a": "[1 3]", "v2": "[2]", "I2": "[2]", "stderr": "[3]", "text": "[2]", "level": "[2]"} {
		var got []int64
		for l := range subs[name].C {
			got = append(got, l.Seq)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%s got %v, want %s", name, got, want)
		}
	}
}

func TestASlowReaderLosesAndIsTold(t *testing.T) {
	r := &recorder{}
	h := logs.New(r, logs.Options{Buffer: 3})
	slow, other := h.Subscribe(logs.Filter{}), h.Subscribe(logs.Filter{Stream: "stderr"})
	w := h.Writer("f", 1, "I1")
	for range 10 {
		w.Write("stdout", "", time.Time{}, []byte("x\n")) // would hang here if it waited
	}
	if n := slow.Lost(); n != 7 {
		t.Errorf("lost %d, want 7", n)
	}
	if n := slow.Lost(); n != 0 {
		t.Errorf("lost %d more", n)
	}
	if n := other.Lost(); n != 0 {
		t.Errorf("another lost %d of what it didn't ask for", n)
	}
	if len(r.lines) != 10 {
		t.Errorf("%d lines were recorded", len(r.lines))
	}
	for want := int64(1); want <= 3; want++ {
		if l := <-slow.C; l.Seq != want {
			t.Errorf("got line %d, want %d", l.Seq, want)
		}
	}
}

func TestClosedSubscriptionsEnd(t *testing.T) {
	h := logs.New(nil, logs.Options{})
	s := h.Subscribe(logs.Filter{})
	s.Close()
	s.Close()
	if _, open := <-s.C; open {
		t.Error("a closed subscription gives lines")
	}
	h.Close()
	h.Close()
	if _, open := <-h.Subscribe(logs.Filter{}).C; open {
		t.Error("a closed hub gives lines")
	}
	h.Writer("f", 1, "").Write("stdout", "", time.Time{}, []byte("x\n"))
}

func TestNumbersAreInOrderForAll(t *testing.T) {
	r := &recorder{}
	h := logs.New(r, logs.Options{Buffer: 10_000})
	s := h.Subscribe(logs.Filter{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			w := h.Writer("f", 1, fmt.Sprint(i))
			defer w.Close()
			for n := range 100 {
				wg.Go(func() { w.Write("stdout", "", time.Time{}, fmt.Appendf(nil, "%d\n", n)) })
			}
			for n := range 100 {
				w.Write("stderr", "", time.Time{}, fmt.Appendf(nil, "%d\n", n))
			}
		})
	}
	wg.Wait()
	h.Close()
	for i, l := range r.lines {
		if l.Seq != int64(i+1) {
			t.Fatalf("line %d has number %d", i, l.Seq)
		}
		if tailed := <-s.C; tailed != l {
			t.Fatalf("tailed %+v, recorded %+v", tailed, l)
		}
	}
}

// However output is cut in pieces, the lines are the same.
func TestPiecesDontMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("ab\n\r\xc3\xa9\x00")), 0, 60).Draw(t, "text")
		write := func(cuts []int) []string {
			r := &recorder{}
			w := logs.New(r, logs.Options{MaxLineBytes: 7, MaxInvocationBytes: 100}).Writer("f", 1, "I")
			rest := text
			for _, c := range cuts {
				c = min(c, len(rest))
				w.Write("stdout", "", time.Unix(1, 0), rest[:c])
				rest = rest[c:]
			}
			w.Write("stdout", "", time.Unix(1, 0), rest)
			w.Close()
			return r.texts()
		}
		whole := write(nil)
		pieces := write(rapid.SliceOf(rapid.IntRange(0, 9)).Draw(t, "cuts"))
		if d := cmp.Diff(whole, pieces); d != "" {
			t.Fatalf("lines (-whole +pieces):\n%s", d)
		}
		for _, l := range whole {
			if !utf8.ValidString(l) {
				t.Fatalf("%q is no text", l)
			}
		}
	})
}

func BenchmarkSilentInvocation(b *testing.B) {
	h := logs.New(nil, logs.Options{})
	b.ReportAllocs()
	for b.Loop() {
		h.Writer("f", 1, "I1").Close()
	}
}

func BenchmarkLine(b *testing.B) {
	w := logs.New(nil, logs.Options{MaxInvocationBytes: 1 << 60}).Writer("f", 1, "I1")
	line := []byte("2024-01-02 a line of the usual length, with a number 12345\n")
	b.ReportAllocs()
	for b.Loop() {
		w.Write("stdout", "INFO", time.Unix(1, 0), line)
	}
}

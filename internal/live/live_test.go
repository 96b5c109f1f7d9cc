package live

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"hearth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func mustFilter(t testing.TB, specs ...string) Filter {
	t.Helper()
	f, err := ParseFilter(specs)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func mustReader(t testing.TB, h *Hub, after string, specs ...string) (*Reader, bool) {
	t.Helper()
	r, resumed, err := h.NewReader(mustFilter(t, specs...), after)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r, resumed
}

// texts takes all that is there and tells of it, what was lost as "-3 logs".
func texts(r *Reader) []string {
	out := []string{}
	for {
		events, lost, more := r.Next()
		for _, l := range lost {
			out = append(out, fmt.Sprintf("-%d %s", l.Count, l.Topic))
		}
		for _, e := range events {
			switch v := e.Value.(type) {
			case *hearth.LogLine:
				out = append(out, v.Text)
			case *hearth.Invocation:
				out = append(out, v.ID)
			default:
				out = append(out, fmt.Sprint(v))
			}
		}
		if more != nil {
			return out
		}
	}
}

func want(t *testing.T, r *Reader, texts_ ...string) {
	t.Helper()
	if got := texts(r); !slices.Equal(got, texts_) {
		t.Errorf("got %q, want %q", got, texts_)
	}
}

func say(h *Hub, function, text string) { h.RecordLog(hearth.LogLine{Function: function, Text: text}) }

func end(h *Hub, function, id string) {
	h.RecordInvocation(hearth.Invocation{Function: function, ID: id})
}

func TestReadersGetWhatTheyAskedForInOrder(t *testing.T) {
	h := NewHub()
	say(h, "a", "before")
	all, _ := mustReader(t, h, "", "logs", "invocations", "changes", "metrics", "sandboxes")
	one, _ := mustReader(t, h, "", "logs:a", "logs:c", "invocations:b")
	both, _ := mustReader(t, h, "", "logs:a", "logs")
	say(h, "a", "1")
	end(h, "a", "2")
	say(h, "b", "3")
	end(h, "b", "4")
	h.Publish(Changes, "a", "5", 1)
	say(h, "c", "6")
	h.Publish(Metrics, "", "7", 1)
	h.Publish(Sandboxes, "", "8", 1)
	want(t, all, "1", "2", "3", "4", "5", "6", "7", "8")
	want(t, one, "1", "4", "6")
	want(t, both, "1", "3", "6")
	want(t, all)
	say(h, "a", "9")
	want(t, all, "9")
}

func TestFilters(t *testing.T) {
	for _, bad := range [][]string{
		{}, {""}, {"news"}, {"logs:"}, {"logs:A B"}, {"changes:a"}, {"sandboxes:a"}, {"logs", "log"}, make([]string, 201),
	} {
		_, err := ParseFilter(bad)
		if e := hearth.AsError(err); e == nil || e.Code != hearth.CodeInvalid || e.Field != "topic" || e.Hint == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if f := mustFilter(t, "logs:b", "logs:a", "logs:b", "metrics:x", "invocations:a", "invocations"); fmt.Sprint(f) != "[[x] [] [a b] [] []]" ||
		f[Invocations] == nil || f[Changes] != nil {
		t.Errorf("got %v", f)
	}
}

func TestAReaderThatComesBackMissesNothing(t *testing.T) {
	h := NewHub()
	r, resumed := mustReader(t, h, "", "logs:a", "invocations")
	if resumed {
		t.Error("a first reader was resumed")
	}
	say(h, "a", "1")
	say(h, "b", "other")
	want(t, r, "1")
	at := r.Position()
	r.Close()
	r.Close()
	say(h, "a", "2")
	end(h, "b", "3")
	r, resumed = mustReader(t, h, at, "logs:a", "invocations")
	if !resumed {
		t.Fatal("not resumed")
	}
	say(h, "a", "4")
	want(t, r, "2", "3", "4")
}

func TestAPositionThatIsGoneOrForeignStartsAnew(t *testing.T) {
	h, other := NewHub(), NewHub()
	say(h, "a", "1")
	r, _ := mustReader(t, h, "", "logs")
	at := r.Position()
	for n := range keeps[Logs].events + 1 {
		say(h, "a", fmt.Sprint(n))
	}
	end(h, "a", "i")
	for name, after := range map[string]string{"gone": at, "of another process": other.position(1), "of the future": h.position(1 << 40)} {
		r, resumed := mustReader(t, h, after, "logs")
		if resumed {
			t.Errorf("%s: resumed", name)
		}
		want(t, r)
	}
	if r, resumed := mustReader(t, h, at, "invocations", "sandboxes"); !resumed {
		t.Error("what another topic has lost keeps this one from going on")
	} else {
		want(t, r, "i")
	}
	for _, bad := range []string{"7", "-", "x-1", h.run + "-", h.run + "-x", h.run + "--1", strings.Repeat("9", 1000)} {
		if _, _, err := h.NewReader(mustFilter(t, "logs"), bad); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestASlowReaderLosesAndIsTold(t *testing.T) {
	h := NewHub()
	all, _ := mustReader(t, h, "", "changes", "sandboxes")
	end(h, "a", "x")
	for n := range keeps[Changes].events + 3 {
		h.Publish(Changes, "", n, 1)
		h.Publish(Sandboxes, "", n, 1)
	}
	got := texts(all)
	if len(got) != 1+keeps[Changes].events+1 || got[0] != "-3 changes" || got[1] != "3" {
		t.Errorf("%d, the first %q", len(got), got[:3])
	}
	want(t, all)
}

func TestWhatOthersLostIsNotCounted(t *testing.T) {
	h := NewHub()
	quiet, _ := mustReader(t, h, "", "logs:quiet")
	busy, _ := mustReader(t, h, "", "logs:busy", "logs:quiet")
	for n := range 10 {
		say(h, "quiet", fmt.Sprint("q", n))
	}
	want(t, quiet, "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9")
	say(h, "quiet", "late")
	for range keeps[Logs].events + 5 {
		say(h, "busy", "b")
	}
	say(h, "quiet", "last")
	want(t, quiet, "-1 logs", "last")
	if got := texts(busy); got[0] != "-17 logs" { // all of the quiet, and six of the busy
		t.Errorf("got %q", got[0])
	}
}

func TestLargeEventsPushOthersOut(t *testing.T) {
	h := NewHub()
	r, _ := mustReader(t, h, "", "logs")
	line := strings.Repeat("x", 8<<10)
	for range 2000 {
		say(h, "a", line)
	}
	if b := h.rings[Logs].bytes; b > keeps[Logs].bytes {
		t.Errorf("%d bytes are kept", b)
	}
	got := texts(r)
	var lost int
	if _, err := fmt.Sscanf(got[0], "-%d logs", &lost); err != nil || lost+len(got)-1 != 2000 {
		t.Errorf("lost %s, got %d", got[0], len(got)-1)
	}
	h.Publish(Sandboxes, "", "huge", 100<<20)
	if n := len(h.rings[Sandboxes].events); n != 1 {
		t.Errorf("a huge event alone isn't kept: %d", n)
	}
}

func TestForgettingAFunctionInventsNoLoss(t *testing.T) {
	h := NewHub()
	r, _ := mustReader(t, h, "", "logs:a")
	for range 100 {
		say(h, "a", "x")
	}
	h.Forget("a")
	for range keeps[Logs].events {
		say(h, "a", "y")
	}
	for _, got := range texts(r) {
		if got != "y" {
			t.Errorf("got %q", got)
		}
	}
	say(h, "a", "z")
	want(t, r, "z")
}

func TestAReaderIsWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub()
		r, _, err := h.NewReader(mustFilter(t, "logs:a"), "")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		got := make(chan string)
		go func() {
			for {
				events, _, more := r.Next()
				if len(events) > 0 {
					got <- events[0].Value.(*hearth.LogLine).Text
					return
				}
				<-more
			}
		}()
		synctest.Wait()
		say(h, "b", "not this")
		synctest.Wait()
		say(h, "a", "this")
		if s := <-got; s != "this" {
			t.Errorf("got %q", s)
		}
	})
}

func TestTopicsAreWatchedForAWhileLonger(t *testing.T) {
	h := NewHub()
	now := time.Now()
	h.now = func() time.Time { return now }
	watched := func(want bool) {
		t.Helper()
		if got, _ := h.Watched(Metrics); got != want {
			t.Errorf("watched is %v", got)
		}
	}
	watched(false)
	r, _ := mustReader(t, h, "", "metrics:a")
	watched(true)
	_, before := h.Watched(Metrics)
	r2, _ := mustReader(t, h, "", "metrics")
	if _, after := h.Watched(Metrics); after == before {
		t.Error("nobody seems to have joined")
	}
	r.Close()
	r2.Close()
	r2.Close()
	now = now.Add(linger - time.Second)
	watched(true)
	now = now.Add(2 * time.Second)
	watched(false)
	if got, _ := h.Watched(Logs); got {
		t.Error("another topic is watched")
	}
}

func TestFramesAreEvents(t *testing.T) {
	h := NewHub()
	r, _ := mustReader(t, h, "", "logs")
	say(h, "a", "two\nlines")
	events, _, _ := r.Next()
	want := "event: log\nid: " + r.Position() + "\ndata: {\"seq\":0,\"at\":\"0001-01-01T00:00:00Z\",\"function\":\"a\",\"version\":0,\"stream\":\"\",\"text\":\"two\\nlines\"}\n\n"
	if got := string(events[0].Frame()); got != want {
		t.Errorf("got %q", got)
	}
}

// Whatever happens between two looks of a reader, what it gets and what it is
// told to have lost is all that there was, in order, each once; also if it
// comes back again and again.
func TestNothingIsLostOrDoubled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := NewHub()
		functions := []string{"a", "b", "c"}
		follow := rapid.SampledFrom([][]string{{"changes"}, {"logs:a", "changes"}, {"logs"}, {"logs:a", "logs:b", "invocations:c"}}).Draw(t, "topics")
		f, err := ParseFilter(follow)
		if err != nil {
			t.Fatal(err)
		}
		r, _, err := h.NewReader(f, "")
		if err != nil {
			t.Fatal(err)
		}
		var n, published, got, lost, last int64
		for _, step := range rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(t, "steps") {
			switch step {
			case 0:
				after := r.Position()
				r.Close()
				var resumed bool
				if r, resumed, err = h.NewReader(f, after); err != nil {
					t.Fatal(err)
				}
				if !resumed { // too much happened in between, and it knows
					lost = published - got
				}
			case 1, 2, 3:
				events, ls, _ := r.Next()
				for _, l := range ls {
					lost += l.Count
				}
				for _, e := range events {
					var v int64
					switch e := e.Value.(type) {
					case *hearth.LogLine:
						v = e.Seq
					case *hearth.Invocation:
						v = int64(e.Status)
					case int64:
						v = e
					}
					if v <= last {
						t.Fatalf("%d came after %d", v, last)
					}
					last = v
					got++
				}
			default:
				for range rapid.IntRange(1, 400).Draw(t, "burst") {
					n++
					fn := functions[n%3]
					e := &Event{Topic: Logs, Function: fn, Value: &hearth.LogLine{Seq: n}}
					switch step {
					case 4:
						e = &Event{Topic: Invocations, Function: fn, Value: &hearth.Invocation{Status: int(n)}}
					case 5, 6:
						e = &Event{Topic: Changes, Function: fn, Value: n}
					}
					if f.wants(e) {
						published++
					}
					h.publish(e)
				}
			}
		}
		for {
			events, ls, more := r.Next()
			for _, l := range ls {
				lost += l.Count
			}
			got += int64(len(events))
			if more != nil {
				break
			}
		}
		if got+lost != published {
			t.Fatalf("%d were published, %d came and %d were lost", published, got, lost)
		}
	})
}

func TestManyReadersAndWriters(t *testing.T) {
	h := NewHub()
	const writers, each, readers = 4, 500, 8
	var wg sync.WaitGroup
	for i := range readers {
		r, _ := mustReader(t, h, "", []string{"logs", "logs:f1"}[i%2], "invocations:f2")
		want := int64(writers * each)
		if i%2 == 1 {
			want = each
		}
		want += each
		wg.Go(func() {
			var got int64
			for got < want {
				events, lost, more := r.Next()
				for _, l := range lost {
					got += l.Count
				}
				for _, e := range events {
					got++
					if len(e.Frame()) == 0 {
						t.Error("an empty frame")
					}
				}
				if more != nil && got < want {
					<-more
				}
			}
		})
	}
	for w := range writers {
		wg.Go(func() {
			for range each {
				say(h, fmt.Sprint("f", w), "x")
				end(h, fmt.Sprint("f", w), "y")
			}
		})
	}
	wg.Wait()
}

func BenchmarkPublish(b *testing.B) {
	h := NewHub()
	i := hearth.Invocation{ID: "01J", Function: "a"}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			h.RecordInvocation(i)
		}
	})
}

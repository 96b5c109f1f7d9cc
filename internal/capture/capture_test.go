package capture_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/capture"
)

func call(outcome hearth.Outcome) *hearth.Invocation {
	return &hearth.Invocation{ID: "01J", Function: "shop", Version: 3, At: time.Unix(1, 0).UTC(), Outcome: outcome}
}

func TestACaptureHoldsBothSides(t *testing.T) {
	e := hearth.Event{
		Body: []byte(`{"item":"book","password":"x1y2"}`),
		HTTP: &hearth.HTTPRequest{
			Method: "POST", Path: "/buy", RawPath: "/buy", RawQuery: "page=2&token=abc", Route: "/buy",
			Headers: map[string][]string{"Content-Type": {"application/json"}, "Cookie": {"a=b", "c=d"}},
		},
	}
	a := &hearth.Answer{Status: 500, Headers: map[string][]string{"set-cookie": {"sid=1"}, "content-type": {"text/plain"}}, Body: []byte("no"), Bytes: 2}
	got := capture.Of(call(hearth.OutcomeError), e, a)
	want := hearth.Capture{
		Invocation: "01J", Function: "shop", Version: 3, At: time.Unix(1, 0).UTC(),
		Request: hearth.CapturedRequest{
			Kind: "http",
			HTTP: &hearth.HTTPRequest{
				Method: "POST", Path: "/buy", RawPath: "/buy", RawQuery: "page=2&token=%5Bredacted%5D", Route: "/buy",
				Headers: map[string][]string{"Content-Type": {"application/json"}, "Cookie": {"[redacted]", "[redacted]"}},
			},
			CapturedBody: hearth.CapturedBody{Body: `{"item":"book","password":"[redacted]"}`, Bytes: 33},
			Redacted:     []string{"query token", "header cookie", "body password"},
		},
		Reply: &hearth.CapturedReply{
			Status: 500, Headers: map[string][]string{"set-cookie": {"[redacted]"}, "content-type": {"text/plain"}},
			CapturedBody: hearth.CapturedBody{Body: "no", Bytes: 2},
		},
		Redacted: []string{"query token", "header cookie", "body password", "header set-cookie"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("capture (-want +got):\n%s", d)
	}
	if e.HTTP.RawQuery != "page=2&token=abc" || e.HTTP.Headers["Cookie"][0] != "a=b" {
		t.Error("the event itself was changed")
	}
}

func TestAPlainEvent(t *testing.T) {
	got := capture.Of(call(hearth.OutcomeTimeout), hearth.Event{Body: []byte(`{"a":1}`)}, nil)
	if got.Request.Kind != "json" || got.Request.HTTP != nil || got.Request.Body != `{"a":1}` || got.Reply != nil || got.Redacted == nil || len(got.Redacted) != 0 {
		t.Errorf("got %+v", got)
	}
	got = capture.Of(call(hearth.OutcomeTimeout), hearth.Event{}, nil)
	if got.Request.Body != "" || got.Request.Truncated || got.Request.Bytes != 0 {
		t.Errorf("nothing at all: %+v", got.Request)
	}
}

func TestLargeBodiesAreCut(t *testing.T) {
	body := []byte(strings.Repeat("é", 1<<20))
	body = append([]byte("x"), body...) // the limit falls within a character
	got := capture.Of(call(hearth.OutcomeError), hearth.Event{Body: body}, &hearth.Answer{Body: []byte("begin"), Bytes: 1 << 30}).Request
	if !got.Truncated || got.Base64 || len(got.Body) != hearth.MaxCapture-1 || got.Bytes != 2<<20+1 {
		t.Errorf("%d bytes, truncated %v, base64 %v, of %d", len(got.Body), got.Truncated, got.Base64, got.Bytes)
	}
	cut := capture.Of(call(hearth.OutcomeError), hearth.Event{Body: []byte(`{"a":"` + strings.Repeat("x", 8000) + `","secret":"` + strings.Repeat("Hunter2", 1000))}, nil)
	if !cut.Request.Truncated || strings.Contains(cut.Request.Body, "Hunter2") || !slices.Equal(cut.Redacted, []string{"body secret"}) {
		t.Errorf("a secret at the cut: %.100q, %q", cut.Request.Body[8000:], cut.Redacted)
	}
}

func TestBytesAreKeptAsBytes(t *testing.T) {
	png := "\x89PNG\r\n\x1a\n\x00\x01"
	e := hearth.Event{Body: []byte(png), HTTP: &hearth.HTTPRequest{Headers: map[string][]string{"Content-Type": {"image/png"}}}}
	got := capture.Of(call(hearth.OutcomeError), e, nil).Request
	if b, err := base64.StdEncoding.DecodeString(got.Body); err != nil || string(b) != png || !got.Base64 || got.Truncated {
		t.Errorf("got %+v", got)
	}
	e = hearth.Event{Body: []byte("{\"password\":\"Hunter2\xff\"}"), HTTP: &hearth.HTTPRequest{Headers: map[string][]string{"Content-Type": {"application/json"}}}}
	got = capture.Of(call(hearth.OutcomeError), e, nil).Request
	if got.Body != `{"password":"[redacted]"}` || got.Base64 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatCannotBeReadIsNotKept(t *testing.T) {
	for name, c := range map[string]struct {
		headers map[string][]string
		body    string
	}{
		"packed":        {map[string][]string{"content-encoding": {"gzip"}}, "\x1f\x8bHunter2"},
		"packed twice":  {map[string][]string{"Content-Encoding": {"identity", "br"}}, "Hunter2"},
		"UTF-16":        {map[string][]string{"Content-Type": {"application/json; charset=UTF-16"}}, "H\x00u\x00"},
		"UTF-16 unsaid": {map[string][]string{"Content-Type": {"application/json"}}, "\x00{\x00\"\x00p"},
		"a mark":        {map[string][]string{"X": {"y"}}, "\xff\xfeH\x00"},
		"UTF-7":         {map[string][]string{"Content-Type": {"text/plain;charset=utf-7"}}, "+AG"},
		"no heads":      {nil, "{\x00}"},
	} {
		e := hearth.Event{Body: []byte(c.body), HTTP: &hearth.HTTPRequest{Headers: c.headers}}
		got := capture.Of(call(hearth.OutcomeError), e, nil)
		if got.Request.Body != "" || !got.Request.Truncated || got.Request.Bytes != int64(len(c.body)) || len(got.Redacted) != 1 {
			t.Errorf("%s: %+v, %q", name, got.Request, got.Redacted)
		}
	}
}

type recorder []hearth.Capture

func (r *recorder) RecordCapture(c hearth.Capture) { *r = append(*r, c) }

func TestFloodsAreCapturedInPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		k := capture.New(&rec, nil)
		many := func(function string, outcome hearth.Outcome) int {
			before := len(rec)
			for n := range 1000 {
				i := call(outcome)
				i.Function, i.ID = function, fmt.Sprint(n)
				were := len(rec)
				if kept := k.Capture(i, hearth.Event{}, nil); kept != (len(rec) > were) {
					t.Errorf("kept is %v", kept)
				}
			}
			return len(rec) - before
		}
		for _, c := range []struct {
			function string
			outcome  hearth.Outcome
			want     int
		}{
			{"a", hearth.OutcomeError, 50}, {"a", hearth.OutcomeError, 0}, {"a", hearth.OutcomeOK, 5}, {"b", hearth.OutcomeError, 50},
		} {
			if got := many(c.function, c.outcome); got != c.want {
				t.Errorf("%s %s: %d, want %d", c.function, c.outcome, got, c.want)
			}
		}
		time.Sleep(3 * time.Second) // of the bubble's clock
		if failed, ok := many("a", hearth.OutcomeTimeout), many("a", hearth.OutcomeOK); failed != 6 || ok != 3 {
			t.Errorf("after three seconds: %d and %d", failed, ok)
		}
	})
}

type broken struct{}

func (broken) RecordCapture(hearth.Capture) { panic("no") }

func TestAMistakeCostsTheCaptureAlone(t *testing.T) {
	var log strings.Builder
	capture.New(broken{}, slog.New(slog.NewTextHandler(&log, nil))).Capture(call(hearth.OutcomeError), hearth.Event{}, nil)
	if !strings.Contains(log.String(), "not captured") {
		t.Errorf("the log says %q", log.String())
	}
}

package capture

import (
	"encoding/base64"
	"log/slog"
	"mime"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/time/rate"

	"hearth"
)

const limit = hearth.MaxCapture

// Recorder keeps captures; store.Telemetry is one. It must not block.
type Recorder interface {
	RecordCapture(c hearth.Capture)
}

// How many captures are made of one function: errors that come by the thousand
// are alike, and each takes up to three times the limit of the disk.
const (
	failedEvery = 2 // a second, after the first failedBurst
	failedBurst = 50
	okEvery     = 1 // a second
	okBurst     = 5
)

// maxFunctions bounds what is remembered of how often each was captured.
const maxFunctions = 10_000

// Keeper makes captures. Its methods may be called concurrently.
type Keeper struct {
	rec Recorder
	log *slog.Logger

	mu     sync.Mutex
	limits map[string]*limits
}

type limits struct{ failed, ok *rate.Limiter }

// New returns a keeper that hands captures to rec; log is told if one can't be
// made, nil discards.
func New(rec Recorder, log *slog.Logger) *Keeper {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{rec: rec, log: log, limits: map[string]*limits{}}
}

func (k *Keeper) allow(i *hearth.Invocation) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.limits[i.Function]
	if l == nil {
		if len(k.limits) >= maxFunctions { // most of them deleted long ago
			clear(k.limits)
		}
		l = &limits{rate.NewLimiter(failedEvery, failedBurst), rate.NewLimiter(okEvery, okBurst)}
		k.limits[i.Function] = l
	}
	if i.Outcome.Failed() {
		return l.failed.Allow()
	}
	return l.ok.Allow()
}

// Capture keeps what an invocation was asked and answered (nil if it wasn't),
// unless there were too many of late, and reports whether it did. It takes some
// tens of microseconds for each kilobyte, and neither changes nor keeps what it
// is given.
func (k *Keeper) Capture(i *hearth.Invocation, e hearth.Event, a *hearth.Answer) (kept bool) {
	if !k.allow(i) {
		return false
	}
	// What strangers sent is read here. A mistake of ours must cost the capture,
	// not the server.
	defer func() {
		if v := recover(); v != nil {
			k.log.Error("an invocation was not captured", "invocation", i.ID, "panic", v)
		}
	}()
	k.rec.RecordCapture(Of(i, e, a))
	return true
}

// Of makes the capture of an invocation.
func Of(i *hearth.Invocation, e hearth.Event, a *hearth.Answer) hearth.Capture {
	r := redactor{took: []string{}}
	c := hearth.Capture{Invocation: i.ID, Function: i.Function, Version: i.Version, At: i.At, Request: r.request(e)}
	c.Request.Redacted = slices.Clone(r.took)
	if a != nil {
		c.Reply = &hearth.CapturedReply{Status: a.Status, Headers: r.headers(a.Headers), CapturedBody: r.body(a.Headers, a.Body, a.Bytes)}
	}
	c.Redacted = r.took
	return c
}

func (r *redactor) request(e hearth.Event) hearth.CapturedRequest {
	if e.HTTP == nil {
		return hearth.CapturedRequest{Kind: "json", CapturedBody: r.body(nil, e.Body, int64(len(e.Body)))}
	}
	h := *e.HTTP
	h.Path, h.RawPath = r.path(h.Path), r.path(h.RawPath)
	h.RawQuery = strings.ToValidUTF8(r.shapes("query", r.query("query", h.RawQuery, secretParam, 0)), "\ufffd")
	h.Headers = r.headers(h.Headers)
	return hearth.CapturedRequest{Kind: "http", HTTP: &h, CapturedBody: r.body(e.HTTP.Headers, e.Body, int64(len(e.Body)))}
}

func (r *redactor) path(p string) string {
	return strings.ToValidUTF8(r.text("path", p, 0), "\ufffd")
}

// body keeps the beginning of a body. One that we can't read, because it is
// packed or in a strange script, may hold any secret, so nothing of it is kept.
func (r *redactor) body(h map[string][]string, b []byte, bytes int64) hearth.CapturedBody {
	c := hearth.CapturedBody{Bytes: bytes}
	if len(b) == 0 {
		c.Truncated = bytes > 0
		return c
	}
	kept := string(b[:min(len(b), limit)])
	c.Truncated = int64(len(kept)) < bytes
	if c.Truncated {
		kept = wholeRunes(kept)
	}
	if why := unreadable(h, kept); why != "" {
		r.note("body", why)
		c.Truncated = true
		return c
	}
	kept = r.text("body", kept, 0)
	if c.Body = kept; !valid(kept) {
		c.Body, c.Base64 = base64.StdEncoding.EncodeToString([]byte(kept)), true
	}
	return c
}

// unreadable says why secrets can't be found in a body.
func unreadable(h map[string][]string, body string) string {
	for _, v := range values(h, "Content-Encoding") {
		if v = strings.ToLower(strings.TrimSpace(v)); v != "" && v != "identity" {
			return "in the encoding " + v
		}
	}
	text := len(h) == 0
	for _, v := range values(h, "Content-Type") {
		mt, params, err := mime.ParseMediaType(v)
		if err != nil {
			mt, _, _ = strings.Cut(strings.ToLower(v), ";")
		}
		switch charset := strings.ToLower(params["charset"]); charset {
		case "", "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "windows-1252":
		default:
			return "in the script " + charset
		}
		mt = strings.TrimSpace(mt)
		text = text || strings.HasPrefix(mt, "text/") || strings.Contains(mt, "json") || strings.Contains(mt, "xml") || strings.HasSuffix(mt, "urlencoded")
	}
	// UTF-16 and UTF-32, said or not.
	if text && strings.IndexByte(body, 0) >= 0 || strings.HasPrefix(body, "\xff\xfe") || strings.HasPrefix(body, "\xfe\xff") {
		return "with zero bytes"
	}
	return ""
}

// values returns those of a header, however it is written.
func values(h map[string][]string, name string) (out []string) {
	for k, vs := range h {
		if textproto.CanonicalMIMEHeaderKey(k) == name {
			out = append(out, vs...)
		}
	}
	return out
}

// wholeRunes cuts off a character that has only begun at the end.
func wholeRunes(s string) string {
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if at := len(s) - n; utf8.RuneStart(s[at]) {
			if !utf8.FullRuneInString(s[at:]) {
				return s[:at]
			}
			break
		}
	}
	return s
}

package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"hearth"
)

// stream writes server-sent events on one connection. It is used by one
// goroutine.
type stream struct {
	w    http.ResponseWriter
	rc   *http.ResponseController
	done <-chan struct{}
	tick *time.Ticker
	last int64 // the id that the reader has seen
	err  error
}

// newStream begins the reply. The reader's last id comes in the header that
// browsers send when they connect again, or in ?after=.
func (a *API) newStream(w http.ResponseWriter, r *http.Request) (*stream, error) {
	id := lastEventID(r)
	var last int64
	if id != "" {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n < 0 {
			return nil, hearth.Errorf(hearth.CodeInvalid, "Last-Event-ID %q is not ours", id).WithField("Last-Event-ID")
		}
		last = n
	}
	s := a.beginStream(w, r)
	s.last = last
	s.heartbeat()
	return s, nil
}

func lastEventID(r *http.Request) string {
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		return id
	}
	return r.URL.Query().Get("after")
}

func (a *API) beginStream(w http.ResponseWriter, r *http.Request) *stream {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	w.WriteHeader(http.StatusOK)
	return &stream{w: w, rc: http.NewResponseController(w), done: r.Context().Done(), tick: time.NewTicker(a.o.Heartbeat)}
}

func (s *stream) send(id string, v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(s.w, "id: %s\ndata: %s\n\n", id, b)
	}
	s.note(err)
}

// heartbeat keeps proxies from giving the connection up, and finds readers that
// are gone without a word.
func (s *stream) heartbeat() {
	_, err := s.w.Write([]byte(": \n\n"))
	s.note(err)
}

func (s *stream) wait() <-chan time.Time { return s.tick.C }

// flush sends what was written and reports whether the reader is still there.
func (s *stream) flush() bool {
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeIdle))
	s.note(s.rc.Flush())
	if s.err != nil {
		s.tick.Stop()
	}
	return s.err == nil
}

func (s *stream) note(err error) {
	if s.err == nil {
		s.err = err
	}
}

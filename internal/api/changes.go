package api

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/live"
)

const (
	keptChanges   = 256 // for readers that come back
	changesBehind = 64  // that a reader may be behind
)

// changes tells readers what happens to functions.
type changes struct {
	live    *live.Hub // is told as well
	mu      sync.Mutex
	last    int64
	kept    []rest.Event
	readers map[chan rest.Event]struct{}
}

func newChanges(h *live.Hub) *changes {
	return &changes{live: h, readers: map[chan rest.Event]struct{}{}}
}

func (c *changes) publish(e rest.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	e.ID, e.At = c.last, hearth.Moment(time.Now())
	c.kept = append(c.kept, e)
	if len(c.kept) > keptChanges {
		c.kept = c.kept[1:]
	}
	c.live.Publish(live.Changes, e.Function, e, 256)
	for ch := range c.readers {
		select {
		case ch <- e:
		default: // too slow: it starts anew with a reset
			delete(c.readers, ch)
			close(ch)
		}
	}
}

// subscribe returns what came after the event with this ID (0 is none) and a
// channel with what comes from now on, which is closed on a reader that is too
// slow. Where events are missing in between, the first is a reset.
func (c *changes) subscribe(after int64) (missed []rest.Event, ch chan rest.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch = make(chan rest.Event, changesBehind)
	c.readers[ch] = struct{}{}
	if after == 0 || after == c.last {
		return nil, ch
	}
	oldest := c.last - int64(len(c.kept)) + 1
	if after > c.last || after+1 < oldest {
		return []rest.Event{{ID: c.last, At: hearth.Moment(time.Now()), Kind: rest.EventReset}}, ch
	}
	return append(missed, c.kept[after+1-oldest:]...), ch
}

func (c *changes) unsubscribe(ch chan rest.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readers, ch)
}

// streamEvents sends changes as server-sent events.
func (a *API) streamEvents(w http.ResponseWriter, r *http.Request) {
	s, err := a.newStream(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	missed, ch := a.changes.subscribe(s.last)
	defer a.changes.unsubscribe(ch)
	for _, e := range missed {
		s.send(strconv.FormatInt(e.ID, 10), e)
	}
	for s.flush() {
		select {
		case e, ok := <-ch:
			if !ok {
				return
			}
			s.send(strconv.FormatInt(e.ID, 10), e)
		case <-s.wait():
			s.heartbeat()
		case <-s.done:
			return
		case <-a.closing:
			return
		}
	}
}

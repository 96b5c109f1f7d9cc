package e2e

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/internal/store/sqlite"
)

// A hundred thousand calls are stored. Somebody scrolls through thousands of
// them: the page holds few rows at any time, and those that are seen.
func Test21ManyCalls(t *testing.T) {
	needsDashboard(t)
	data := t.TempDir()
	MustServe(t, data).Stop()
	db, err := sqlite.Open(t.Context(), filepath.Join(data, "hearth.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 100_000 {
		at := now.Add(-time.Duration(i) * 30 * time.Millisecond)
		db.RecordInvocation(hearth.Invocation{
			ID: ulid.MustNew(ulid.Timestamp(at), ulid.DefaultEntropy()).String(), Function: fmt.Sprintf("f%d", i%1000), Version: 1,
			Trigger: hearth.TriggerHTTP, At: at, Outcome: hearth.OutcomeOK, Status: 200, Start: hearth.StartWarm,
			Duration: hearth.Duration(5 * time.Millisecond), Phases: hearth.Phases{Handler: hearth.Duration(5 * time.Millisecond)},
		})
		if i%2000 == 0 { // more at once would be dropped, as under a flood
			if err := db.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := db.Dropped(); n != 0 {
		t.Fatalf("%d calls were dropped", n)
	}

	b := MustBrowse(t)
	s := MustServe(t, data)
	p := s.signedIn(b)
	p.MustShow(1440, 900, "light")
	p.MustOpen(s.URL + "/ui/invocations?range=1h")
	p.MustSee("#invocations", "f1")
	const scroll = `new Promise(done => {
		const took = []; let most = 0, last = performance.now();
		const step = now => {
			took.push(now - last);
			last = now;
			most = Math.max(most, document.querySelectorAll('#invocations [data-key]').length);
			document.scrollingElement.scrollBy(0, 120);
			if (took.length < 400) return requestAnimationFrame(step);
			took.sort((a, b) => a - b);
			done({most, at: document.scrollingElement.scrollTop, median: took[200], p99: took[396]});
		};
		requestAnimationFrame(step);
	})`
	r, _ := p.MustEval(scroll).(map[string]any)
	t.Logf("frames took %v ms at the median, p99 %v", r["median"], r["p99"])
	if rows, _ := r["most"].(float64); rows < 10 || rows > 100 {
		t.Errorf("the page held %v rows", rows)
	}
	if at, _ := r["at"].(float64); at < 20_000 {
		t.Errorf("400 steps of 120 pixels led to %v: the list has an end", at)
	}
	p.MustSee("#invocations [data-key] td", "f")
	p.CheckClean(s.URL)
}

// Package history measures how fast a server answers that has much behind it: a
// thousand functions and a hundred thousand calls of a day.
//
//	go test -run '^$' -bench . ./bench/history
package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/client"
	"hearth/internal/config"
	"hearth/internal/metrics"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
	"hearth/internal/store"
	"hearth/internal/store/sqlite"
)

const (
	functions = 1000
	calls     = 100_000
	day       = 24 * time.Hour
	recent    = 2 * time.Hour // of which each second is kept
)

// past writes a day into a database.
type past struct {
	b     *testing.B
	db    *sqlite.DB
	rnd   *rand.Rand
	mu    sync.Mutex
	now   time.Time
	began time.Time
}

func (p *past) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

func (p *past) elapsed() time.Duration { return p.Now().Sub(p.began) }

func (p *past) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

func fill(b *testing.B, path string) {
	b.Helper()
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path, sqlite.Options{Queue: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now().Add(-day).Truncate(time.Second)
	p := &past{b: b, db: db, rnd: rand.New(rand.NewPCG(1, 2)), now: began, began: began}
	for i := range functions {
		name := name(i)
		cfg := hearth.DefaultConfig()
		v, err := db.AddVersion(ctx, hearth.Function{Name: name, CreatedBy: "admin"}, hearth.Version{
			Runtime: "fake1", Handler: "main.handler", Sandbox: "fake", CodeDigest: "sha256:00", Config: cfg, CreatedBy: "admin",
		})
		if err == nil {
			_, err = db.Activate(ctx, hearth.Deploy{Function: name, Version: v.Number, Kind: hearth.DeployNew, By: "admin"}, store.FunctionUpdate{}, 0)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	a, err := metrics.OpenAggregator(ctx, metrics.New(metrics.Options{Now: p.Now}), metrics.AggregatorOptions{Store: db, Now: p.Now, Elapsed: p.elapsed})
	if err != nil {
		b.Fatal(err)
	}
	step, each := time.Minute, float64(calls)/day.Seconds()
	for p.elapsed() < day {
		if p.elapsed() >= day-recent {
			step = time.Second
		}
		for n := each * step.Seconds(); n > p.rnd.Float64(); n-- {
			p.call(a)
		}
		p.pass(step)
		a.Beat(ctx)
	}
	if err := db.Flush(ctx); err != nil {
		b.Fatal(err)
	}
	a.Prune(ctx)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
}

func name(i int) string { return fmt.Sprintf("function-%04d", i) }

func (p *past) call(a *metrics.Aggregator) {
	took := time.Duration((1 + p.rnd.ExpFloat64()) * float64(20*time.Millisecond))
	i := hearth.Invocation{
		ID: ulid.MustNew(ulid.Timestamp(p.now), ulid.DefaultEntropy()).String(), Function: name(p.rnd.IntN(functions)), Version: 1,
		Trigger: hearth.TriggerHTTP, At: hearth.Moment(p.now), Outcome: hearth.OutcomeOK, Status: 200, Start: hearth.StartWarm,
		Duration: hearth.Duration(took), Phases: hearth.Phases{Handler: hearth.Duration(took)}, RequestBytes: 100, ReplyBytes: 1000,
		Usage: &hearth.Usage{CPU: hearth.Duration(took / 2), MemoryPeak: int64(20e6 * (1 + p.rnd.Float64()))},
	}
	if p.rnd.IntN(50) == 0 {
		i.Outcome, i.Status = hearth.OutcomeError, 502
		i.Error = &hearth.Error{Code: hearth.CodeFunctionError, Message: "no", Type: "ValueError"}
	}
	if p.rnd.IntN(20) == 0 {
		i.Start = hearth.StartPrewarmed
		i.Phases.Load = hearth.Duration(2 * time.Millisecond)
	}
	p.db.RecordInvocation(i)
	a.Observe(&i)
}

// cpu is what this process has used of the processors.
func cpu() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkAnswers(b *testing.B) {
	data := b.TempDir()
	fill(b, filepath.Join(data, "hearth.db"))
	e := servertest.Start(b, func(c *config.Config, _ *server.Options) { c.Data = data })
	c, now := e.Admin, time.Now()
	query := func(q client.MetricsQuery) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := c.QueryMetrics(ctx, q)
			return err
		}
	}
	list := []string{"requests", "totals", "sandboxes"} // as the dashboard asks for its list of functions
	every, one := []string{"*"}, []string{name(500)}
	for _, call := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"list of an hour", query(client.MetricsQuery{Functions: every, Step: 90 * time.Second, Fields: list})},
		{"list of a day", query(client.MetricsQuery{Functions: every, From: now.Add(-day), Step: 36 * time.Minute, Fields: list})},
		{"list of a week", query(client.MetricsQuery{Functions: every, From: now.Add(-7 * day), Step: 252 * time.Minute, Fields: list})},
		{"charts of an hour: one function, all", query(client.MetricsQuery{Functions: one})},
		{"charts of a day: one function, all", query(client.MetricsQuery{Functions: one, From: now.Add(-day)})},
		{"charts of an hour: the server, all", query(client.MetricsQuery{})},
		{"charts of a day: the server, all", query(client.MetricsQuery{From: now.Add(-day)})},
		{"charts of a minute: the server, by the second", query(client.MetricsQuery{From: now.Add(-time.Minute), Step: time.Second})},
		{"summary of five minutes", func(ctx context.Context) error { _, err := c.Metrics(ctx, "", 0); return err }},
		{"usage of a week", func(ctx context.Context) error { _, err := c.Usage(ctx, time.Time{}, time.Time{}); return err }},
		{"functions, a page", func(ctx context.Context) error { _, err := c.Functions(ctx, "", client.Page{}); return err }},
		{"calls, a page", func(ctx context.Context) error {
			_, err := c.Invocations(ctx, client.InvocationsQuery{}, client.Page{})
			return err
		}},
	} {
		b.Run(call.name, func(b *testing.B) {
			var took []time.Duration
			used := cpu()
			for b.Loop() {
				began := time.Now()
				if err := call.do(b.Context()); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			// Other programs don't add to it, but the client's part is in it.
			b.ReportMetric((cpu()-used).Seconds()*1000/float64(len(took)), "ms-cpu/op")
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2].Seconds()*1000, "ms/median")
			b.ReportMetric(0, "ns/op")
		})
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
)

func (a *App) loadCmd() *cobra.Command {
	var data string
	var rate float64
	var span time.Duration
	var most int
	c := &cobra.Command{
		Use: "load NAME", Short: "Make traffic on a function and sum up the answers",
		Long: `Load calls a function at a fixed rate for a while. Calls start on time whether or
not earlier ones have ended, so a slow server shows as latency and not as a lower
rate; over --max calls in flight a call is skipped and counted.`,
		Example: "  hearth load hello --rps 50 --for 10s", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeFunctions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if rate <= 0 || rate > 100_000 || span <= 0 || span > time.Hour || most < 1 {
				return usage("--rps, --for and --max must be more than 0, --for at most 1h").WithHint("try: hearth load %s --rps 50 --for 10s", args[0])
			}
			body, err := a.payload(data)
			if err != nil {
				return err
			}
			var event []byte
			if body != nil {
				if event, err = io.ReadAll(body); err != nil {
					return usage("read the event: %w", err)
				}
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			if _, err := cl.Function(cmd.Context(), args[0]); err != nil {
				return noSuch(cmd.Context(), cl, args[0], err)
			}
			done := a.progress(fmt.Sprintf("calling %s %g times a second", args[0], rate))
			r := makeLoad(cmd.Context(), cl, args[0], string(event), rate, span, most)
			done()
			return a.printLoad(r)
		},
	}
	c.Flags().Float64Var(&rate, "rps", 10, "calls per second")
	c.Flags().DurationVar(&span, "for", 10*time.Second, "how long")
	c.Flags().IntVar(&most, "max", 200, "calls in flight at most")
	c.Flags().StringVarP(&data, "data", "d", "", "the event: JSON, @file, or - for standard input")
	return c
}

// loadResult is what a load came to.
type loadResult struct {
	Calls    int                    `json:"calls"`
	Skipped  int                    `json:"skipped"`
	Outcomes map[hearth.Outcome]int `json:"outcomes"`
	Starts   map[hearth.Start]int   `json:"starts"`
	Rate     float64                `json:"rate"`
	P50      hearth.Duration        `json:"p50"`
	P95      hearth.Duration        `json:"p95"`
	P99      hearth.Duration        `json:"p99"`
	Max      hearth.Duration        `json:"max"`

	took []time.Duration
}

func makeLoad(ctx context.Context, cl *client.Client, name, event string, rate float64, span time.Duration, most int) loadResult {
	r := loadResult{Outcomes: map[hearth.Outcome]int{}, Starts: map[hearth.Start]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	places := make(chan struct{}, most)
	begin := time.Now()
	gap := time.Duration(float64(time.Second) / rate)
	next := time.NewTimer(0)
	defer next.Stop()
	for i := 1; ; i++ {
		select {
		case <-ctx.Done():
		case <-next.C:
		}
		if ctx.Err() != nil || time.Since(begin) >= span {
			break
		}
		next.Reset(time.Until(begin.Add(time.Duration(i) * gap)))
		select {
		case places <- struct{}{}:
		default:
			r.Skipped++
			continue
		}
		wg.Go(func() {
			defer func() { <-places }()
			start := time.Now()
			how, outcome := oneCall(ctx, cl, name, event)
			d := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			r.Outcomes[outcome]++
			if how != "" {
				r.Starts[how]++
			}
			r.took = append(r.took, d)
		})
	}
	wg.Wait()
	r.Calls = len(r.took)
	r.Rate = float64(r.Calls) / max(time.Since(begin).Seconds(), 1e-9)
	slices.Sort(r.took)
	r.P50, r.P95, r.P99, r.Max = quantile(r.took, .5), quantile(r.took, .95), quantile(r.took, .99), quantile(r.took, 1)
	return r
}

func oneCall(ctx context.Context, cl *client.Client, name, event string) (hearth.Start, hearth.Outcome) {
	var body io.Reader
	if event != "" {
		body = strings.NewReader(event)
	}
	reply, err := cl.Invoke(ctx, client.InvokeRequest{Name: name, Body: body})
	if err != nil {
		return "", hearth.ErrorCode(err).Outcome()
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		if errors.Is(err, context.Canceled) {
			return reply.Start, hearth.OutcomeCancelled
		}
		return reply.Start, hearth.OutcomeCrashed
	}
	return reply.Start, hearth.OutcomeOK
}

// quantile reads sorted values by the nearest rank.
func quantile(sorted []time.Duration, q float64) hearth.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return hearth.Duration(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)])
}

func (a *App) printLoad(r loadResult) error {
	p := a.out()
	if p.form == formatJSON {
		p.json(r)
		return nil
	}
	p.printf("%d calls, %.1f/s", r.Calls, r.Rate)
	if r.Skipped > 0 {
		p.printf(", %s", p.amber(fmt.Sprintf("%d skipped: more than --max were in flight", r.Skipped)))
	}
	p.printf("\n  p50 %s · p95 %s · p99 %s · max %s\n", millis(r.P50), millis(r.P95), millis(r.P99), millis(r.Max))
	for _, o := range slices.Sorted(maps.Keys(r.Outcomes)) {
		text := fmt.Sprintf("  %-16s %d", o, r.Outcomes[o])
		if o != hearth.OutcomeOK {
			text = p.red(text)
		}
		p.printf("%s\n", text)
	}
	for _, s := range slices.Sorted(maps.Keys(r.Starts)) {
		p.printf("  %-16s %d\n", "start "+s, r.Starts[s])
	}
	return nil
}

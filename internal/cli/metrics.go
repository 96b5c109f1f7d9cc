package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) metricsCmd() *cobra.Command {
	var since, until moment
	var step time.Duration
	c := &cobra.Command{
		Use: "metrics [NAME]", Short: "Sum up calls: how many, how long, how they ended", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeFunctions,
		Long: `Metrics sums up the calls of a span of time, by function, and on a terminal draws
their course. With NAME it tells more of one function.

With --step the JSON is the course of each number, as GET /api/v1/metrics/query has it.`,
		Example: "  hearth metrics\n  hearth metrics hello --since 24h\n  hearth metrics hello --since 1h --step 1m -o json",
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := checkSpan(since, until); err != nil {
				return err
			}
			q := client.MetricsQuery{
				Functions: []string{"*"}, From: since.Time, To: until.Time, Step: step,
				Fields: []string{"requests", "outcomes", "starts", "duration", "queue", "cpu", "memory"},
			}
			if len(args) == 1 {
				q.Functions = args
			}
			m, err := cl.QueryMetrics(ctx, q)
			if err != nil {
				return noSuch(ctx, cl, strings.Join(args, ""), err)
			}
			p := a.out()
			switch {
			case p.form == formatJSON && step != 0:
				p.json(m)
			case p.form == formatJSON:
				p.json(summary(m))
			default:
				printMetrics(p, m, len(args) == 1)
			}
			return nil
		}),
	}
	spanFlags(c.Flags(), since.ago(5*time.Minute), &until, "from then on")
	c.Flags().DurationVar(&step, "step", 0, "width of the steps of a course (default: so that there are 120 or fewer)")
	return c
}

// summary leaves the course of things out.
func summary(m rest.MetricData) rest.Metrics {
	out := rest.Metrics{From: m.From, To: m.To, Functions: []rest.FunctionMetrics{}}
	for _, s := range m.Series {
		out.Functions = append(out.Functions, functionSummary(m, s))
	}
	return out
}

func functionSummary(m rest.MetricData, s rest.MetricSeries) rest.FunctionMetrics {
	step, _ := time.ParseDuration(m.Step) // the server's own
	t := s.Total
	f := rest.FunctionMetrics{
		Function: s.Function, Window: hearth.Duration(step * time.Duration(known(s.Requests))),
		Invocations: t.Requests, Rate: t.Rate, Errors: t.Errors, Throttled: t.Throttled, ColdStarts: t.ColdStarts,
		Outcomes: map[hearth.Outcome]int64{}, Starts: map[hearth.Start]int64{},
		P50: seconds(t.P50), P95: seconds(t.P95), P99: seconds(t.P99), Max: seconds(t.Max),
	}
	for o, ns := range s.Outcomes {
		f.Outcomes[o] = sum(ns)
	}
	for o, ns := range s.Starts {
		f.Starts[o] = sum(ns)
	}
	return f
}

// known counts the steps in which the server was there.
func known(ns []*int64) (n int) {
	for _, v := range ns {
		if v != nil {
			n++
		}
	}
	return n
}

func sum(ns []*int64) (total int64) {
	for _, v := range ns {
		if v != nil {
			total += *v
		}
	}
	return total
}

func seconds(s *float64) hearth.Duration {
	if s == nil {
		return 0
	}
	return hearth.Duration(*s * float64(time.Second))
}

// courseWidth is how many blocks the course of something has.
const courseWidth = 24

func printMetrics(p *printer, m rest.MetricData, detail bool) {
	headers := []string{"FUNCTION", "CALLS", "RATE", "ERRORS", "P50", "P95", "P99", "COLD"}
	if p.form == formatTable {
		headers = append(headers, "CALLS OVER TIME", "P95 OVER TIME")
	}
	list(p, m.Series, headers, func(s rest.MetricSeries) []string {
		t := s.Total
		row := []string{
			s.Function, strconv.FormatInt(t.Requests, 10), perSecond(t.Rate), share(t.Errors, t.Requests),
			millis(seconds(t.P50)), millis(seconds(t.P95)), millis(seconds(t.P99)), share(t.ColdStarts, t.Requests),
		}
		if p.form == formatTable {
			row = append(row, p.green(spark(s.Requests, courseWidth)), p.green(spark(courseOf(s.Duration, 95), courseWidth)))
		}
		return row
	}, "no calls in that time")
	if detail && p.form == formatTable && len(m.Series) == 1 {
		printCourse(p, m, m.Series[0])
	}
}

// courseOf returns the course of a quantile, nil if it isn't known.
func courseOf(q *rest.Quantiles, which int) []*float64 {
	if q == nil {
		return nil
	}
	return map[int][]*float64{50: q.P50, 95: q.P95, 99: q.P99, 100: q.Max}[which]
}

// printCourse tells all of one function.
func printCourse(p *printer, m rest.MetricData, s rest.MetricSeries) {
	const width = 60
	line := func(name, course, value string) {
		if course != "" {
			p.printf("  %s  %s  %s\n", p.dim(fmt.Sprintf("%-8s", name)), p.green(pad(course, width)), value)
		}
	}
	t := s.Total
	p.printf("\n  %s\n", p.dim(fmt.Sprintf("from %s to %s, %d steps of %s", clock(m.From), clock(m.To), len(m.At), m.Step)))
	line("calls", spark(s.Requests, width), strconv.FormatInt(t.Requests, 10))
	line("errors", spark(s.Errors, width), strconv.FormatInt(t.Errors, 10))
	line("p50", spark(courseOf(s.Duration, 50), width), millis(seconds(t.P50)))
	line("p95", spark(courseOf(s.Duration, 95), width), millis(seconds(t.P95)))
	line("p99", spark(courseOf(s.Duration, 99), width), millis(seconds(t.P99)))
	line("max", spark(courseOf(s.Duration, 100), width), millis(seconds(t.Max)))
	line("queue", spark(courseOf(s.Queue, 99), width), "p99")
	if t.CPU != nil {
		line("cpu", spark(s.CPU, width), fmt.Sprintf("%.2f s", *t.CPU))
	}
	if t.MemoryMax != nil {
		line("memory", spark(courseOf(s.Memory, 100), width), size(*t.MemoryMax))
	}
	f := functionSummary(m, s)
	p.printf("  %s  %s\n", p.dim("outcomes"), counts(f.Outcomes))
	p.printf("  %s  %s\n", p.dim("starts  "), counts(f.Starts))
	for i, d := range m.Deploys {
		label := "        "
		if i == 0 {
			label = "deploys "
		}
		p.printf("  %s  %s version %d %s by %s\n", p.dim(label), clock(d.At), d.Version, d.Kind, harmless(d.By))
	}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-len([]rune(s))))
}

// clock writes a moment for a person, who is here.
func clock(t time.Time) string {
	l := t.Local()
	if time.Since(t) < 20*time.Hour {
		return l.Format("15:04:05")
	}
	return l.Format("2006-01-02 15:04")
}

// counts writes numbers, the highest first.
func counts[K ~string](m map[K]int64) string {
	keys := slices.SortedFunc(maps.Keys(m), func(a, b K) int {
		if m[a] != m[b] {
			return int(min(1, max(-1, m[b]-m[a])))
		}
		return strings.Compare(string(a), string(b))
	})
	var parts []string
	for _, k := range keys {
		if m[k] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", k, m[k]))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

func perSecond(rate float64) string { return fmt.Sprintf("%.1f/s", rate) }

func share(part, whole int64) string {
	if whole == 0 || part <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) usageCmd() *cobra.Command {
	var since, until moment
	c := &cobra.Command{
		Use: "usage", Short: "Say what functions used, and what memory they would do with", Args: cobra.NoArgs,
		Example: "  hearth usage\n  hearth usage --since 30d -o json",
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			if err := checkSpan(since, until); err != nil {
				return err
			}
			u, err := cl.Usage(ctx, since.Time, until.Time)
			if err != nil {
				return err
			}
			p := a.out()
			if p.form == formatJSON {
				p.json(u)
				return nil
			}
			list(p, u.Functions, []string{"FUNCTION", "CALLS", "CPU", "GB-SECONDS", "P95", "TIMEOUT", "PEAK", "LIMIT", "ADVICE"}, usageRow(p), "no calls in that time")
			if p.form == formatTable && len(u.Functions) > 0 {
				p.printf("\n%s\n", p.dim(fmt.Sprintf("from %s to %s: %d calls, %.1f s of CPU, %.1f GB-seconds",
					clock(u.From), clock(u.To), u.Total.Requests, u.Total.CPUSeconds, u.Total.GBSeconds)))
			}
			return nil
		}),
	}
	spanFlags(c.Flags(), since.ago(7*24*time.Hour), &until, "from then on")
	return c
}

func usageRow(p *printer) func(rest.FunctionUsage) []string {
	known := func(n int64) string {
		if n == 0 {
			return "-"
		}
		return size(n)
	}
	return func(f rest.FunctionUsage) []string {
		timeout, advice := "-", ""
		if f.Timeout > 0 {
			timeout = f.Timeout.String()
		}
		if f.Suggestion != nil {
			advice = p.amber(harmless(f.Suggestion.Text))
		}
		return []string{
			fmt.Sprintf("%s@%d", f.Function, f.Version), strconv.FormatInt(f.Requests, 10), fmt.Sprintf("%.2f s", f.CPUSeconds), fmt.Sprintf("%.2f", f.GBSeconds),
			millis(hearth.Duration(f.DurationP95 * float64(time.Second))), timeout, known(f.MemoryPeak), known(f.MemoryLimit), advice,
		}
	}
}

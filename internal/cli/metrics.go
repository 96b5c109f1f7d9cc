package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearth/client"
	"hearth/client/rest"
)

func (a *App) metricsCmd() *cobra.Command {
	var span time.Duration
	c := &cobra.Command{
		Use: "metrics [NAME]", Short: "Sum up the calls of the last minutes", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			m, err := cl.Metrics(ctx, strings.Join(args, ""), span)
			if err != nil {
				return err
			}
			p := a.out()
			if p.form == formatJSON {
				p.json(m)
				return nil
			}
			list(p, m.Functions, metricsHeaders, metricsRow, "no calls in that time")
			return nil
		}),
	}
	c.Flags().DurationVar(&span, "since", 5*time.Minute, "how far back, up to an hour")
	return c
}

var metricsHeaders = []string{"FUNCTION", "CALLS", "RATE", "ERRORS", "P50", "P95", "P99", "COLD"}

func metricsRow(f rest.FunctionMetrics) []string {
	return []string{
		f.Function, strconv.FormatInt(f.Invocations, 10), fmt.Sprintf("%.1f/s", f.Rate), share(f.Errors, f.Invocations),
		millis(f.P50), millis(f.P95), millis(f.P99), share(f.ColdStarts, f.Invocations),
	}
}

func share(part, whole int64) string {
	if whole == 0 || part <= 0 {
		return "0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(whole))
}

func (a *App) topCmd() *cobra.Command {
	var every time.Duration
	var once bool
	c := &cobra.Command{
		Use: "top", Short: "Watch functions and sandboxes", Args: cobra.NoArgs,
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			return a.top(ctx, cl, every, once || !isTerminal(a.Out) || a.format == formatJSON)
		}),
	}
	c.Flags().DurationVar(&every, "every", time.Second, "how often to look")
	c.Flags().BoolVar(&once, "once", false, "look once")
	return c
}

// top draws the state again and again over itself.
func (a *App) top(ctx context.Context, cl *client.Client, every time.Duration, once bool) error {
	if every < 100*time.Millisecond {
		return usage("--every %s is too often", every).WithHint("use 100ms or more")
	}
	for {
		var b strings.Builder
		frame := &App{Out: &b, Env: a.Env, format: a.format, noColor: a.noColor}
		if !once {
			frame.format = formatTable
		}
		if err := drawTop(ctx, cl, frame.out()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if once {
			_, err := fmt.Fprint(a.Out, b.String())
			return err
		}
		// Home, then each line cleared to its end, then the rest of the screen:
		// no flicker, as nothing is blank in between.
		fmt.Fprintf(a.Out, "\x1b[H%s\x1b[J", strings.ReplaceAll(b.String(), "\n", "\x1b[K\n"))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

func drawTop(ctx context.Context, cl *client.Client, p *printer) error {
	m, err := cl.Metrics(ctx, "", time.Minute)
	if err != nil {
		return err
	}
	boxes, err := cl.Sandboxes(ctx)
	if err != nil {
		return err
	}
	pools, err := cl.Pools(ctx)
	if err != nil {
		return err
	}
	if p.form == formatJSON {
		p.json(map[string]any{"metrics": m, "sandboxes": boxes.Items, "pools": pools.Items})
		return nil
	}
	states := map[string]int{}
	var memory int64
	for _, s := range boxes.Items {
		states[s.State]++
		memory += s.Usage.Memory
	}
	p.printf("%s  %d sandboxes (%d busy, %d idle, %d prewarmed)  %s\n", p.bold("hearth"), len(boxes.Items),
		states["busy"], states["idle"], states["stem"], size(memory))
	for _, pool := range pools.Items {
		p.printf("  prewarmed %s %s network %s: %d of %d ready, %d hits, %d misses\n", pool.Driver, pool.Runtime, pool.Network, pool.Ready, pool.Target, pool.Hits, pool.Misses)
	}
	p.printf("\n")
	list(p, m.Functions, metricsHeaders, metricsRow, "no calls in the last minute")
	p.printf("\n")
	list(p, boxes.Items, []string{"SANDBOX", "RUNTIME", "FUNCTION", "STATE", "SINCE", "SERVED", "MEMORY", "CPU"}, func(s rest.Sandbox) []string {
		fn := "-"
		if s.Function != "" {
			fn = fmt.Sprintf("%s@%d", s.Function, s.Version)
		}
		return []string{short(s.ID), s.Runtime, fn, s.State, ago(s.Since), strconv.FormatInt(s.Served, 10), size(s.Usage.Memory), s.Usage.CPU.Std().Round(time.Millisecond).String()}
	}, "no sandboxes")
	return nil
}

package cli

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) logsCmd() *cobra.Command {
	var q client.LogsQuery
	var follow bool
	var lines int
	var since time.Duration
	c := &cobra.Command{
		Use: "logs [NAME]", Short: "Show what functions printed", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeFunctions,
		Example: "  hearth logs hello -n 50\n  hearth logs -f hello\n  hearth logs --since 1h --grep timeout",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.Function = args[0]
			}
			if since > 0 {
				q.From = time.Now().Add(-since)
			}
			return a.logs(cmd.Context(), q, lines, follow)
		},
	}
	f := c.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with new lines as they come")
	f.IntVarP(&lines, "lines", "n", 100, "how many of the last lines")
	f.DurationVar(&since, "since", 0, "not older than this, like 10m")
	f.StringVar(&q.Invocation, "invocation", "", "of one call, by its id")
	f.StringVar(&q.Text, "grep", "", "lines that hold this text")
	f.StringVar(&q.Stream, "stream", "", "stdout, stderr or platform")
	f.IntVar(&q.Version, "version", 0, "of one version")
	return c
}

func (a *App) logs(ctx context.Context, q client.LogsQuery, n int, follow bool) error {
	if n < 0 || n > 1000 {
		return usage("-n is %d, out of range", n).WithHint("use 0 to 1000")
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	if q.Function != "" {
		if _, err := cl.Function(ctx, q.Function); err != nil {
			return noSuch(ctx, cl, q.Function, err)
		}
	}
	p := a.out()
	var last int64
	if n > 0 {
		q.Newest = true
		l, err := cl.Logs(ctx, q, client.Page{Limit: n})
		if err != nil {
			return err
		}
		slices.Reverse(l.Items)
		for _, line := range l.Items {
			printLine(p, line, q.Function == "")
			last = line.Seq
		}
	}
	if !follow {
		return nil
	}
	q.Newest, q.From = false, time.Time{}
	for line, err := range cl.TailLogs(ctx, q) {
		if err != nil {
			return err
		}
		if line.Seq > last {
			printLine(p, line, q.Function == "")
		}
	}
	return nil
}

func printLine(p *printer, l hearth.LogLine, named bool) {
	if p.form == formatJSON {
		p.json(l)
		return
	}
	text := harmless(l.Text)
	switch {
	case l.Stream == "platform":
		text = p.amber(text)
	case l.Level == "ERROR" || l.Level == "CRITICAL":
		text = p.red(text)
	}
	who := ""
	if named {
		who = p.bold(l.Function) + " "
	}
	p.printf("%s %s%s %s\n", p.dim(l.At.Local().Format("15:04:05.000")), who, p.dim(short(l.Invocation)), text)
}

// short is the end of an id, which is what differs between neighbours.
func short(id string) string {
	if len(id) > 6 {
		return id[len(id)-6:]
	}
	return "······"
}

func (a *App) invocationsCmd() *cobra.Command {
	var q client.InvocationsQuery
	var n int
	var outcome string
	c := &cobra.Command{
		Use: "invocations [NAME | ID]", Aliases: []string{"calls"}, Short: "List calls, newest first, or show one", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if len(args) == 1 && isULID(args[0]) {
				return a.invocation(ctx, cl, args[0])
			}
			if len(args) == 1 {
				q.Function = args[0]
			}
			if outcome != "" {
				q.Outcomes = []hearth.Outcome{hearth.Outcome(outcome)}
			}
			l, err := cl.Invocations(ctx, q, client.Page{Limit: n})
			if err != nil {
				return err
			}
			list(a.out(), l.Items, []string{"ID", "FUNCTION", "AT", "OUTCOME", "STATUS", "START", "DURATION", "HANDLER"}, invocationRow(a.out()), "no calls yet")
			return nil
		}),
	}
	c.Flags().IntVarP(&n, "lines", "n", 20, "how many")
	c.Flags().StringVar(&outcome, "outcome", "", "ok, function_error, timeout, out_of_memory, crashed, throttled, cancelled or platform_error")
	c.Flags().IntVar(&q.Version, "version", 0, "of one version")
	return c
}

// isULID tells an id from a function's name, which has no capitals.
func isULID(s string) bool {
	if len(s) != 26 {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return true
}

func invocationRow(p *printer) func(hearth.Invocation) []string {
	return func(i hearth.Invocation) []string {
		outcome := string(i.Outcome)
		if i.Outcome == hearth.OutcomeOK {
			outcome = p.green(outcome)
		} else {
			outcome = p.red(outcome)
		}
		return []string{
			i.ID, i.Function + "@" + strconv.Itoa(i.Version), i.At.Local().Format("15:04:05.000"), outcome,
			strconv.Itoa(i.Status), string(i.Start), millis(i.Duration), millis(i.Phases.Handler),
		}
	}
}

func (a *App) invocation(ctx context.Context, cl *client.Client, id string) error {
	i, err := cl.Invocation(ctx, id)
	if err != nil {
		return err
	}
	p := a.out()
	if p.form == formatJSON {
		p.json(i)
		return nil
	}
	list(p, []hearth.Invocation{i}, []string{"ID", "FUNCTION", "AT", "OUTCOME", "STATUS", "START", "DURATION", "HANDLER"}, invocationRow(p), "")
	for _, ph := range []struct {
		name string
		d    hearth.Duration
	}{
		{"queue", i.Phases.Queue}, {"sandbox", i.Phases.Sandbox}, {"load", i.Phases.Load},
		{"import", i.Phases.Import}, {"handler", i.Phases.Handler}, {"reply", i.Phases.Reply},
	} {
		p.printf("  %-8s %9s %s\n", ph.name, millis(ph.d), p.green(bar(ph.d.Std(), i.Duration.Std(), 40)))
	}
	if i.Error != nil {
		p.printf("%s %s: %s\n", p.red("error"), harmless(first(i.Error.Type, string(i.Error.Code))), harmless(i.Error.Message))
		if i.Error.Trace != "" {
			p.printf("%s\n", p.dim(harmless(i.Error.Trace)))
		}
	}
	lines, err := client.Collect(func(pg client.Page) (rest.List[hearth.LogLine], error) {
		return cl.Logs(ctx, client.LogsQuery{Invocation: id}, pg)
	})
	for _, l := range lines {
		printLine(p, l, false)
	}
	return err
}

// bar draws part of whole as blocks, at least one for anything over nothing.
func bar(part, whole time.Duration, width int) string {
	if part <= 0 || whole <= 0 {
		return ""
	}
	n := max(1, min(width, int(int64(width)*int64(part)/int64(whole))))
	return string(slices.Repeat([]rune{'█'}, n))
}

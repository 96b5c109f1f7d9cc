package cli

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) logsCmd() *cobra.Command {
	var q client.LogsQuery
	var follow bool
	var lines int
	var since, until moment
	var levels []string
	c := &cobra.Command{
		Use: "logs [NAME]", Short: "Show what functions printed", Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeFunctions,
		Long: `Logs shows the last lines, and with -f goes on with new ones as they come, also
across restarts of the server and breaks of the connection.`,
		Example: "  hearth logs hello -n 50\n  hearth logs -f hello\n  hearth logs --since 1h --grep timeout\n  hearth logs hello --since 09:00 --until 09:30",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				q.Function = args[0]
			}
			if err := checkSpan(since, until); err != nil {
				return err
			}
			if follow && !until.IsZero() {
				return usage("--follow has no end, and --until is one").WithField("until").WithHint("leave one of them out")
			}
			q.From, q.To = since.Time, until.Time
			for _, l := range levels {
				q.Levels = append(q.Levels, hearth.Level(l))
			}
			return a.logs(cmd.Context(), q, lines, follow)
		},
	}
	f := c.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with new lines as they come")
	f.IntVarP(&lines, "lines", "n", 100, "how many of the last lines")
	spanFlags(f, &since, &until, "not older than this")
	f.StringVar(&q.Invocation, "invocation", "", "of one call, by its id")
	f.StringVar(&q.Text, "grep", "", "lines that hold this text")
	f.StringVar(&q.Stream, "stream", "", "stdout, stderr or platform")
	f.StringSliceVar(&levels, "level", nil, "error, warn, info or debug; may be repeated")
	f.IntVar(&q.Version, "version", 0, "of one version")
	_ = c.RegisterFlagCompletionFunc("level", cobra.FixedCompletions([]string{"error", "warn", "info", "debug"}, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("stream", cobra.FixedCompletions([]string{"stdout", "stderr", "platform"}, cobra.ShellCompDirectiveNoFileComp))
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
	if follow {
		// What comes between the list and the first new line must not be lost.
		l, err := cl.Logs(ctx, client.LogsQuery{Newest: true}, client.Page{Limit: 1})
		if err != nil {
			return err
		}
		for _, line := range l.Items {
			last = line.Seq
		}
	}
	if n > 0 {
		q.Newest = true
		l, err := cl.Logs(ctx, q, client.Page{Limit: n})
		if err != nil {
			return err
		}
		slices.Reverse(l.Items)
		for _, line := range l.Items {
			printLine(p, line, q.Function == "")
			last = max(last, line.Seq)
		}
	}
	if !follow {
		return nil
	}
	q.Newest, q.From, q.AfterSeq = false, time.Time{}, last
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
		p.jsonLine(l)
		return
	}
	text := harmless(l.Text)
	switch level := strings.ToUpper(l.Level); {
	case level == "ERROR", level == "CRITICAL", level == "FATAL":
		text = p.red(text)
	case level == "WARN", level == "WARNING", l.Stream == "platform":
		text = p.amber(text)
	case level == "DEBUG", level == "TRACE":
		text = p.dim(text)
	}
	who := ""
	if named {
		who = p.bold(l.Function) + " "
	}
	layout := "15:04:05.000"
	if time.Since(l.At) > 20*time.Hour {
		layout = "2006-01-02 15:04:05.000"
	}
	p.printf("%s %s%s %s\n", p.dim(l.At.Local().Format(layout)), who, p.dim(short(l.Invocation)), text)
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
	var outcomes, starts []string
	var failed, cold, slowest bool
	var since, until moment
	c := &cobra.Command{
		Use: "invocations [NAME | ID]", Aliases: []string{"calls"}, Short: "List calls, newest first, or show one",
		Example:           "  hearth invocations hello --failed --since 1h\n  hearth invocations --slowest --cold\n  hearth invocations get 01JABCDEFGHJKMNPQRSTVWXYZ0",
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if len(args) == 1 && isULID(args[0]) {
				return a.invocation(ctx, cl, args[0])
			}
			if len(args) == 1 {
				q.Function = args[0]
			}
			if err := checkSpan(since, until); err != nil {
				return err
			}
			q.From, q.To = since.Time, until.Time
			if failed {
				outcomes = append(outcomes, string(rest.OutcomeFailed))
			}
			if cold {
				starts = append(starts, string(rest.StartCold))
			}
			if slowest {
				if q.Sort != "" && q.Sort != "slowest" {
					return usage("--slowest and --sort %s are two orders", q.Sort).WithHint("give one of them")
				}
				q.Sort = "slowest"
			}
			for _, o := range outcomes {
				q.Outcomes = append(q.Outcomes, hearth.Outcome(o))
			}
			for _, s := range starts {
				q.Starts = append(q.Starts, hearth.Start(s))
			}
			l, err := cl.Invocations(ctx, q, client.Page{Limit: n})
			if err != nil {
				return err
			}
			list(a.out(), l.Items, []string{"ID", "FUNCTION", "AT", "OUTCOME", "STATUS", "START", "DURATION", "HANDLER"}, invocationRow(a.out()), "no calls yet")
			return nil
		}),
	}
	c.AddCommand(a.invocationCmd())
	f := c.Flags()
	f.IntVarP(&n, "lines", "n", 20, "how many")
	f.StringSliceVar(&outcomes, "outcome", nil, "failed, ok, function_error, timeout, out_of_memory, crashed, throttled, cancelled or platform_error; may be repeated")
	f.BoolVar(&failed, "failed", false, "those that failed by the function's or the platform's fault")
	f.StringSliceVar(&starts, "start", nil, "warm, cold, prewarmed, forked, spawned or restored; may be repeated")
	f.BoolVar(&cold, "cold", false, "that were the first of their sandbox")
	f.DurationVar(&q.MinDuration, "slower", 0, "that took at least so long, like 300ms (also --min-duration)")
	f.DurationVar(&q.MaxDuration, "faster", 0, "that took at most so long (also --max-duration)")
	f.StringVar(&q.Text, "grep", "", "whose error's type or message holds this text (also --text)")
	f.StringVar(&q.Fingerprint, "fingerprint", "", "of one group of errors, see hearth errors")
	f.StringVar(&q.Sort, "sort", "", "newest, oldest, slowest, memory or cost (default newest)")
	f.BoolVar(&slowest, "slowest", false, "the slowest first")
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		// The names that the API has for them.
		if own, ok := map[string]string{"min-duration": "slower", "max-duration": "faster", "text": "grep"}[name]; ok {
			name = own
		}
		return pflag.NormalizedName(name)
	})
	spanFlags(f, &since, &until, "not older than this")
	f.IntVar(&q.Version, "version", 0, "of one version")
	for flag, values := range map[string][]string{
		"outcome": {"failed", "ok", "function_error", "timeout", "out_of_memory", "crashed", "throttled", "cancelled", "platform_error"},
		"start":   {"warm", "cold", "prewarmed", "forked", "spawned", "restored"},
		"sort":    {"newest", "oldest", "slowest", "memory", "cost"},
	} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return c
}

func (a *App) invocationCmd() *cobra.Command {
	return &cobra.Command{
		Use: "get ID", Short: "Show one call: its phases, error and log, and what it was asked and answered", Args: cobra.ExactArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			id := strings.ToUpper(args[0])
			if !isULID(id) {
				return usage("%q is not the id of a call", args[0]).WithHint("hearth invocations lists them")
			}
			return a.invocation(ctx, cl, id)
		}),
	}
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
		return a.invocationJSON(ctx, cl, p, i)
	}
	list(p, []hearth.Invocation{i}, []string{"ID", "FUNCTION", "AT", "OUTCOME", "STATUS", "START", "DURATION", "HANDLER"}, invocationRow(p), "")
	var before hearth.Duration
	for _, ph := range []struct {
		name string
		d    hearth.Duration
	}{
		{"queue", i.Phases.Queue}, {"sandbox", i.Phases.Sandbox}, {"load", i.Phases.Load},
		{"import", i.Phases.Import}, {"handler", i.Phases.Handler}, {"reply", i.Phases.Reply},
	} {
		p.printf("  %-8s %9s %s\n", ph.name, millis(ph.d), p.green(waterfall(before.Std(), ph.d.Std(), i.Duration.Std(), 40)))
		before += ph.d
	}
	if i.ReplayOf != "" {
		p.printf("  %-8s %s\n", "replay", i.ReplayOf)
	}
	if i.TraceID != "" {
		p.printf("  %-8s %s\n", "trace", i.TraceID)
	}
	if i.Error != nil {
		p.printf("%s %s: %s\n", p.red("error"), harmless(first(i.Error.Type, string(i.Error.Code))), harmless(i.Error.Message))
		if i.Error.Trace != "" {
			p.printf("%s\n", p.dim(harmless(strings.TrimRight(i.Error.Trace, "\n"))))
		}
		if i.Error.Hint != "" {
			p.printf("%s %s\n", p.bold("next: "), harmless(i.Error.Hint))
		}
	}
	if i.Captured {
		if err := a.capture(ctx, cl, p, id); err != nil && hearth.ErrorCode(err) != hearth.CodeNotFound { // its time may be over
			return err
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

// invocationJSON shows a call with all that belongs to it as one document.
func (a *App) invocationJSON(ctx context.Context, cl *client.Client, p *printer, i hearth.Invocation) error {
	out := struct {
		hearth.Invocation
		Capture *hearth.Capture  `json:"capture,omitempty"`
		Log     []hearth.LogLine `json:"log"`
	}{Invocation: i, Log: []hearth.LogLine{}}
	if i.Captured {
		c, err := cl.Capture(ctx, i.ID)
		switch hearth.ErrorCode(err) {
		case "":
			out.Capture = &c
		case hearth.CodeForbidden, hearth.CodeNotFound:
		default:
			return err
		}
	}
	lines, err := client.Collect(func(pg client.Page) (rest.List[hearth.LogLine], error) {
		return cl.Logs(ctx, client.LogsQuery{Invocation: i.ID}, pg)
	})
	if err != nil {
		return err
	}
	out.Log = append(out.Log, lines...)
	p.json(out)
	return nil
}

// waterfall draws part of whole as blocks, at least one for anything over
// nothing, behind as many blanks as what came before it would be.
func waterfall(before, part, whole time.Duration, width int) string {
	if part <= 0 || whole <= 0 {
		return ""
	}
	at := func(d time.Duration) int { return max(0, min(width, int(int64(width)*int64(d)/int64(whole)))) }
	from := min(at(before), width-1)
	return strings.Repeat(" ", from) + strings.Repeat("█", max(1, at(before+part)-from))
}

package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"hearth/client"
	"hearth/client/rest"
)

func (a *App) errorsCmd() *cobra.Command {
	var q client.ErrorsQuery
	var since, until moment
	c := &cobra.Command{
		Use: "errors [NAME]", Short: "List what fails, in groups of failures that are alike", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunctions,
		Example:           "  hearth errors\n  hearth errors hello --since 7d\n  hearth invocations hello --fingerprint 0f1e2d3c4b5a6978",
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := checkSpan(since, until); err != nil {
				return err
			}
			if len(args) == 1 {
				q.Function = args[0]
			}
			q.From, q.To = since.Time, until.Time
			l, err := cl.Errors(ctx, q)
			if err != nil {
				return err
			}
			if len(l.Items) == 0 && q.Function != "" { // a name that nobody ever had, or all is well
				if _, err := cl.Function(ctx, q.Function); err != nil {
					return noSuch(ctx, cl, q.Function, err)
				}
			}
			p := a.out()
			list(p, l.Items, []string{"COUNT", "COURSE", "FUNCTION", "WHAT", "WHERE", "LAST", "VERSIONS", "GROUP"}, errorRow(p), "nothing failed in that time")
			return nil
		}),
	}
	spanFlags(c.Flags(), &since, &until, "not older than this (default 24h)")
	return c
}

func errorRow(p *printer) func(rest.ErrorGroup) []string {
	return func(g rest.ErrorGroup) []string {
		counts := make([]*int64, len(g.Sparkline))
		for i := range g.Sparkline {
			counts[i] = &g.Sparkline[i]
		}
		versions := fmt.Sprintf("@%d", g.FirstVersion)
		if g.LastVersion != g.FirstVersion {
			versions += fmt.Sprintf("…@%d", g.LastVersion)
		}
		if g.NewIn > 0 {
			versions += " " + p.amber("new")
		}
		what := strings.TrimPrefix(g.Type+": "+g.Message, ": ")
		if g.Type == "" {
			what = string(g.Outcome) + ": " + g.Message
		}
		return []string{
			strconv.FormatInt(g.Count, 10), spark(counts, 12), g.Function, p.red(ellipsis(what, 60)), harmless(first(g.Frame, "-")),
			ago(g.Last), versions, g.Fingerprint,
		}
	}
}

// ellipsis is the first line of a text, cut to so many characters.
func ellipsis(s string, n int) string {
	s, more, _ := strings.Cut(s, "\n")
	r := []rune(harmless(s))
	if len(r) > n {
		return string(r[:n-1]) + "…"
	}
	if more != "" {
		return string(r) + " …"
	}
	return string(r)
}

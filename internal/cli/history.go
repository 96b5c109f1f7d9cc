package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
)

func (a *App) deploysCmd() *cobra.Command {
	var q client.DeployQuery
	var since, until moment
	var n int
	c := &cobra.Command{
		Use: "deploys [NAME]", Short: "List what served when, newest first: deploys, rollbacks, deletions", Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: a.completeFunctions,
		Example:           "  hearth deploys\n  hearth deploys hello --since 7d",
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if err := checkSpan(since, until); err != nil {
				return err
			}
			if len(args) == 1 {
				q.Function = args[0]
			}
			q.From, q.To = since.Time, until.Time
			l, err := cl.Deploys(ctx, q, client.Page{Limit: n})
			if err != nil {
				return err
			}
			if len(l.Items) == 0 && q.Function != "" { // a name that nobody ever had, or a quiet time
				if _, err := cl.Function(ctx, q.Function); err != nil {
					return noSuch(ctx, cl, q.Function, err)
				}
			}
			p := a.out()
			list(p, l.Items, []string{"AT", "WHAT", "VERSION", "BEFORE", "BY", "MESSAGE"}, func(d hearth.Deploy) []string {
				version, before := d.Function, "-"
				if d.Version > 0 {
					version = fmt.Sprintf("%s@%d", d.Function, d.Version)
				}
				if d.FromVersion > 0 {
					before = fmt.Sprintf("@%d", d.FromVersion)
				}
				return []string{clock(d.At), kindOfDeploy(p, d.Kind), version, before, harmless(d.By), harmless(d.Message)}
			}, "no deploys in that time")
			return nil
		}),
	}
	c.Flags().IntVarP(&n, "lines", "n", 20, "how many")
	spanFlags(c.Flags(), &since, &until, "not older than this")
	return c
}

func kindOfDeploy(p *printer, k hearth.DeployKind) string {
	switch k {
	case hearth.DeployNew:
		return p.green(string(k))
	case hearth.DeployActivate:
		return p.amber(string(k))
	case hearth.DeployDelete:
		return p.red(string(k))
	}
	return string(k)
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
)

func (a *App) testEventsCmd() *cobra.Command {
	return &cobra.Command{
		Use: "test-events NAME", Short: "List the calls that are kept with a function", Args: cobra.ExactArgs(1), ValidArgsFunction: a.completeFunctions,
		Long: `Test-events lists the calls that are kept with a function, which the dashboard and the
API write. Make one with: hearth invoke NAME --event EVENT`,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			es, err := cl.TestEvents(ctx, args[0])
			if err != nil {
				return noSuch(ctx, cl, args[0], err)
			}
			list(a.out(), es, []string{"EVENT", "KIND", "REQUEST", "BODY", "CHANGED", "BY"}, func(e hearth.TestEvent) []string {
				request := "-"
				if e.Kind == hearth.TestEventHTTP {
					request = e.Method + " " + e.Path
				}
				return []string{harmless(e.Name), string(e.Kind), harmless(request), size(int64(len(e.Body))), ago(e.UpdatedAt), e.UpdatedBy}
			}, "no test events: the dashboard keeps them, beside a function's test")
			return nil
		}),
	}
}

package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/examples"
	"hearth/internal/config"
	"hearth/internal/server"
)

func (a *App) upCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "up", Short: "Run the server with the examples deployed", Args: cobra.NoArgs,
		Long: `Up is serve, and deploys the examples that aren't there yet. On a host where some
limits can't be enforced (as an ordinary user, say) it allows that for the
examples, and for nothing else.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("log-level") && os.Getenv("HEARTH_LOG_LEVEL") == "" {
				cfg.LogLevel = "warn" // what follows is for a person to read
			}
			names, err := examples.List()
			if err != nil {
				return err
			}
			o := server.Options{Version: a.Version, AllowUnenforcedFor: func(v hearth.Version) bool {
				return slices.Contains(names, v.Function)
			}}
			return a.serve(cmd.Context(), cfg, o, func(ctx context.Context, s *server.Server) error {
				return a.showExamples(ctx, s, cfg, names)
			})
		},
	}
	config.AddFlags(c.Flags())
	return c
}

// showExamples deploys what is missing and prints a line that works.
func (a *App) showExamples(ctx context.Context, s *server.Server, cfg config.Config, names []string) error {
	a.greet(ctx, s, cfg)
	e, key, err := config.WaitEndpoint(ctx, cfg.Data)
	if err != nil {
		return err
	}
	cl, err := client.New(e.URL, key)
	if err != nil {
		return err
	}
	p := a.out()
	unenforced := false
	p.printf("\n%s\n", p.bold("Examples"))
	for _, name := range names {
		text, warnings, err := a.deployExample(ctx, cl, name)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			p.printf("  %s %-16s %s\n", p.red("✗"), name, err)
			continue
		}
		unenforced = unenforced || len(warnings) > 0
		p.printf("  %s %-16s %s\n", p.green("✓"), name, p.dim(text))
	}
	if unenforced {
		p.printf("  %s\n", p.amber("The examples run without the limits that this host can't hold. Your own functions may too with --allow-unenforced."))
	}
	p.printf("\n%s\n  curl -s '%s/fn/hello-python?name=you'\n  hearth list        %s\n\n", p.bold("Try"), s.URL(),
		p.dim("in another terminal; Ctrl-C here stops the server"))
	return nil
}

func (a *App) deployExample(ctx context.Context, cl *client.Client, name string) (text string, warnings []string, err error) {
	if _, err := cl.Function(ctx, name); err == nil {
		return "is there", nil, nil
	} else if hearth.ErrorCode(err) != hearth.CodeNotFound {
		return "", nil, err
	}
	files, err := examples.Folder(name)
	if err != nil {
		return "", nil, err
	}
	temp, err := os.MkdirTemp("", "hearth-example-")
	if err != nil {
		return "", nil, err
	}
	defer os.RemoveAll(temp)
	dir := filepath.Join(temp, name)
	if err := os.CopyFS(dir, files); err != nil {
		return "", nil, err
	}
	req, err := prepare(dir, settings{})
	if err != nil {
		return "", nil, err
	}
	d, err := send(ctx, cl, dir, req)
	if err != nil {
		return "", nil, err
	}
	return "live in " + millis(d.Ready.Total) + ", " + d.Version.Runtime, d.Ready.Warnings, nil
}

package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/server"
)

func (a *App) serveCmd() *cobra.Command {
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: `Serve runs the server until it is told to stop (Ctrl-C, SIGTERM), and then lets
calls in flight finish. Everything that must last is in the data folder.

Settings come from flags, from the environment (HEARTH_LISTEN for --listen), and
from config.yaml in the data folder, in this order.`,
		Example: "  hearth serve\n  hearth serve --data /var/lib/hearth --listen 0.0.0.0:8080 --tls-cert cert.pem --tls-key key.pem",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(cmd.Flags(), os.Environ())
			if err != nil {
				return err
			}
			return a.serve(cmd.Context(), cfg, server.Options{Version: a.Version}, func(ctx context.Context, s *server.Server) error {
				a.greet(ctx, s, cfg)
				return nil
			})
		},
	}
	config.AddFlags(c.Flags())
	return c
}

// serve runs a server until ctx ends. Once it answers, ready is called.
func (a *App) serve(ctx context.Context, cfg config.Config, o server.Options, ready func(context.Context, *server.Server) error) error {
	if inside, code, err := a.enter(ctx, cfg); err != nil || !inside {
		return exitWith(code, err)
	}
	if o.Logger == nil {
		o.Logger = newLogger(a.Err, cfg)
	}
	var err error
	if o.Templates, err = templates(); err != nil {
		return err
	}
	s, err := server.Open(ctx, cfg, o)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }()
	a.noteLocal(cfg.Data)
	if err := ready(ctx, s); err != nil && ctx.Err() == nil {
		o.Logger.Error("after the start", "err", err)
	}
	err = <-served
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if cerr := s.Close(closing); err == nil {
		err = cerr
	}
	return err
}

// enter makes the process able to build sandboxes where it isn't root. For the
// process that the user started that means to wait for another.
func (a *App) enter(ctx context.Context, cfg config.Config) (inside bool, code int, err error) {
	if a.Enter == nil || cfg.Sandbox != "native" {
		return true, 0, nil
	}
	return a.Enter(ctx)
}

// exitError ends the program with the code of the process that did the work,
// which has said everything there is to say.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func exitWith(code int, err error) error {
	if err != nil || code == 0 {
		return err
	}
	return exitError(code)
}

func newLogger(w io.Writer, cfg config.Config) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // config has checked it
	o := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// greet says where the server is, and on the first start how to sign in.
func (a *App) greet(ctx context.Context, s *server.Server, cfg config.Config) {
	p := a.out()
	p.printf("%s %s\n", p.bold("Hearth"), s.URL())
	if s.Created() {
		p.printf("  dashboard  %s\n             %s\n", absolute(s.URL(), s.SignInLink().URL), p.dim("(signs you in once, within 10 minutes; later: hearth open)"))
		p.printf("  key        in %s\n", filepath.Join(cfg.Data, config.KeyFile))
	} else {
		p.printf("  dashboard  %s/ui/  %s\n", s.URL(), p.dim("(sign in: hearth open)"))
	}
	for _, d := range s.Sandboxes(ctx) {
		printWeaker(p, d)
	}
}

// printWeaker names what a driver can't hold here, or holds less well than on
// other hosts: whoever starts a server should know it before the first deploy.
func printWeaker(p *printer, d rest.Driver) {
	by := map[string][]string{}
	for _, f := range d.Findings {
		by[f.Status] = append(by[f.Status], f.Name)
	}
	missing, weak := by["missing"], by["weak"]
	if len(missing)+len(weak) == 0 {
		return
	}
	if len(missing) > 0 {
		p.printf("  %s   %s\n", p.amber("not held"), strings.Join(missing, ", "))
	}
	if len(weak) > 0 {
		p.printf("  %s     %s\n", p.amber("weaker"), strings.Join(weak, ", "))
	}
	p.printf("             %s\n", p.dim("(of "+d.Name+" sandboxes on this host; why, and how to mend it: hearth doctor)"))
}

func (a *App) doctorCmd() *cobra.Command {
	return &cobra.Command{
		Use: "doctor", Short: "Say what this host can and can't enforce, and how to mend it", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.Enter != nil {
				if inside, code, err := a.Enter(cmd.Context()); err == nil && !inside {
					return exitWith(code, nil)
				} else if err != nil {
					a.printError(err)
				}
			}
			dir, err := os.MkdirTemp("", "hearth-doctor-")
			if err != nil {
				return hearth.Errorf(hearth.CodePlatform, "make a temporary folder: %w", err)
			}
			defer os.RemoveAll(dir)
			r, err := server.Doctor(cmd.Context(), dir, server.Options{Version: a.Version})
			if err != nil {
				return err
			}
			return a.printReport(r)
		},
	}
}

func (a *App) printReport(r server.Report) error {
	p := a.out()
	if p.form == formatJSON {
		p.json(r)
		return nil
	}
	p.printf("%s\n", p.bold("Runtimes"))
	for _, rt := range r.Runtimes {
		p.printf("  %s %-12s %s (%s)\n", p.green("ok     "), rt.Name, rt.Interpreter, rt.Version)
	}
	for _, n := range r.Notes {
		p.printf("  %s %s\n", p.amber("missing"), n)
	}
	usable := false
	for _, d := range r.Sandboxes {
		p.printf("%s %s\n", p.bold("Sandbox "+d.Name), p.dim(d.Isolation))
		if d.Error != "" {
			p.printf("  %s %s\n", p.red("error  "), d.Error)
		}
		usable = usable || d.Error == ""
		for _, f := range d.Findings {
			mark := p.green("ok     ")
			switch f.Status {
			case "weak":
				mark = p.amber("weak   ")
			case "missing":
				mark = p.red("missing")
			}
			p.printf("  %s %-18s %s\n", mark, f.Name, f.Detail)
			if f.Fix != "" {
				p.printf("          %-18s %s %s\n", "", p.bold("fix:"), f.Fix)
			}
		}
	}
	if !usable || len(r.Runtimes) == 0 {
		return hearth.Errorf(hearth.CodeUnsupported, "this host can't run functions as it is").WithHint("do what the lines above say")
	}
	return nil
}

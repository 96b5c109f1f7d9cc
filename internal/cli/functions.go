package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

// functions reads the whole list.
func functions(ctx context.Context, cl *client.Client, prefix string) ([]rest.FunctionInfo, error) {
	return client.Collect(func(p client.Page) (rest.List[rest.FunctionInfo], error) { return cl.Functions(ctx, prefix, p) })
}

// completeFunctions completes the name of a function.
func (a *App) completeFunctions(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	cl, err := a.client()
	if err != nil || len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	l, err := cl.Functions(cmd.Context(), prefix, client.Page{Limit: 100})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, f := range l.Items {
		names = append(names, f.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func (a *App) listCmd() *cobra.Command {
	return &cobra.Command{
		Use: "list [PREFIX]", Aliases: []string{"ls"}, Short: "List the functions", Args: cobra.MaximumNArgs(1),
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			fs, err := functions(ctx, cl, strings.Join(args, ""))
			if err != nil {
				return err
			}
			list(a.out(), fs, []string{"NAME", "VERSION", "RUNTIME", "MEMORY", "ROUTES", "ACCESS", "UPDATED"}, functionRow,
				"no functions yet: hearth deploy PATH")
			return nil
		}),
	}
}

func functionRow(f rest.FunctionInfo) []string {
	runtime, memory := "-", "-"
	if f.Version != nil {
		runtime, memory = f.Version.Runtime, fmt.Sprintf("%d MiB", f.Version.Config.Limits.MemoryMiB)
	}
	paths := []string{"/fn/" + f.Name}
	for _, r := range f.Routes {
		paths = append(paths, r.String())
	}
	access := "key"
	if f.Public {
		access = "public"
	}
	return []string{f.Name, strconv.Itoa(f.Active), runtime, memory, strings.Join(paths, ", "), access, ago(f.UpdatedAt)}
}

func (a *App) getCmd() *cobra.Command {
	return &cobra.Command{
		Use: "get NAME", Aliases: []string{"describe"}, Short: "Show one function", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			f, err := cl.Function(ctx, args[0])
			if err != nil {
				return noSuch(ctx, cl, args[0], err)
			}
			p := a.out()
			if p.form == formatJSON {
				p.json(f)
				return nil
			}
			describe(p, cl.URL(), f)
			return nil
		}),
	}
}

func describe(p *printer, base string, f rest.FunctionInfo) {
	line := func(name, format string, args ...any) {
		p.printf("%s %s\n", p.dim(fmt.Sprintf("%-13s", name)), fmt.Sprintf(format, args...))
	}
	line("name", "%s", p.bold(f.Name))
	line("created", "%s by %s", ago(f.CreatedAt), f.CreatedBy)
	for _, u := range f.URLs {
		line("url", "%s", absolute(base, u))
	}
	if f.Public {
		line("access", "public")
	} else {
		line("access", "needs a key")
	}
	if f.CORS != nil {
		line("cors", "%s", corsText(*f.CORS))
	}
	for _, r := range f.Routes {
		if r.CORS != nil {
			line("cors", "%s: %s", r, corsText(*r.CORS))
		}
	}
	v := f.Version
	if v == nil {
		line("version", "none is active")
		return
	}
	l := v.Config.Limits
	line("version", "%d, deployed %s by %s", v.Number, ago(v.CreatedAt), v.CreatedBy)
	line("runs", "%s, handler %s", v.Runtime, v.Handler)
	line("sandbox", "%s, network %s", v.Sandbox, v.Config.Network)
	line("limits", "%d MiB memory, %v CPU, %s, %d processes, %d MiB of /tmp", l.MemoryMiB, l.CPU, l.Timeout, l.PIDs, l.TmpMiB)
	line("scale", "%d at once in a sandbox, %d kept warm", v.Config.Concurrency, v.Config.MinWarm)
	line("code", "%s, %s", size(v.CodeBytes), v.CodeDigest)
	for _, k := range slices.Sorted(maps.Keys(v.Config.Env)) {
		line("env", "%s=%s", k, v.Config.Env[k])
	}
}

// corsText says in a line what a CORS allows beyond the usual.
func corsText(c hearth.CORS) string {
	if len(c.Origins) == 0 {
		return "none"
	}
	parts := []string{strings.Join(c.Origins, ", ")}
	if len(c.Methods) > 0 {
		parts = append(parts, "methods "+strings.Join(c.Methods, ", "))
	}
	if len(c.Headers) > 0 {
		parts = append(parts, "headers "+strings.Join(c.Headers, ", "))
	}
	if c.Credentials {
		parts = append(parts, "with credentials")
	}
	if c.MaxAge > 0 {
		parts = append(parts, "kept for "+c.MaxAge.String())
	}
	return strings.Join(parts, "; ")
}

func (a *App) versionsCmd() *cobra.Command {
	return &cobra.Command{
		Use: "versions NAME", Short: "List the versions of a function, newest first", Args: cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			f, err := cl.Function(ctx, args[0])
			if err != nil {
				return noSuch(ctx, cl, args[0], err)
			}
			vs, err := client.Collect(func(p client.Page) (rest.List[hearth.Version], error) { return cl.Versions(ctx, args[0], p) })
			if err != nil {
				return err
			}
			list(a.out(), vs, []string{"VERSION", "ACTIVE", "RUNTIME", "HANDLER", "CODE", "DEPLOYED", "BY", "MESSAGE"}, func(v hearth.Version) []string {
				active := ""
				if v.Number == f.Active {
					active = "yes"
				}
				return []string{strconv.Itoa(v.Number), active, v.Runtime, v.Handler, size(v.CodeBytes), ago(v.CreatedAt), v.CreatedBy, harmless(v.Message)}
			}, "no versions")
			return nil
		}),
	}
}

func (a *App) rollbackCmd() *cobra.Command {
	var message string
	c := &cobra.Command{
		Use: "rollback NAME [VERSION]", Short: "Let an earlier version serve again, at once",
		Long: "Rollback lets VERSION take the traffic, or the version before the active one.\nGoing forward again works the same way.",
		Args: cobra.RangeArgs(1, 2), ValidArgsFunction: a.completeFunctions,
		RunE: func(cmd *cobra.Command, args []string) error {
			version := 0
			if len(args) == 2 {
				n, err := strconv.Atoi(strings.TrimPrefix(args[1], "v"))
				if err != nil || n < 1 {
					return usage("%q is not a version", args[1]).WithHint("see: hearth versions %s", args[0])
				}
				version = n
			}
			cl, err := a.client()
			if err != nil {
				return err
			}
			f, err := cl.Rollback(cmd.Context(), args[0], rest.Rollback{Version: version, Message: message})
			if err != nil {
				return noSuch(cmd.Context(), cl, args[0], err)
			}
			p := a.out()
			if p.form == formatJSON {
				p.json(f)
				return nil
			}
			p.printf("%s %s serves\n", p.green("✓"), p.bold(fmt.Sprintf("%s@%d", f.Name, f.Active)))
			return nil
		},
	}
	c.Flags().StringVarP(&message, "message", "m", "", "why, for the history of deploys: one line, up to 200 characters")
	return c
}

func (a *App) deleteCmd() *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use: "delete NAME…", Aliases: []string{"rm"}, Short: "Delete functions with all their versions", Args: cobra.MinimumNArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			if !yes {
				if err := a.confirm("delete " + strings.Join(args, ", ") + " with all versions?"); err != nil {
					return err
				}
			}
			p := a.out()
			for _, name := range args {
				if err := cl.DeleteFunction(ctx, name, 0); err != nil {
					return noSuch(ctx, cl, name, err)
				}
				if p.form != formatJSON {
					p.printf("%s deleted %s\n", p.green("✓"), name)
				}
			}
			return nil
		}),
	}
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return c
}

// confirm asks a person; a program is taken at its word.
func (a *App) confirm(question string) error {
	f, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	fmt.Fprintf(a.Err, "%s [y/N] ", question)
	answer, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && err != io.EOF {
		return err
	}
	if s := strings.ToLower(strings.TrimSpace(answer)); s != "y" && s != "yes" {
		return usage("nothing was done").WithHint("answer y, or give --yes")
	}
	return nil
}

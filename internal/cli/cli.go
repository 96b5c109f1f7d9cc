package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"hearth"
)

// The exit codes, which scripts rely on.
const (
	ExitOK       = 0
	ExitFunction = 1 // the function failed
	ExitUsage    = 2 // the command can't be done as it was given
	ExitPlatform = 3 // the platform failed
)

// App is the command line with its surroundings. Main uses the process's own;
// tests bring others.
type App struct {
	Version string
	In      io.Reader
	Out     io.Writer
	Err     io.Writer
	Env     func(string) string
	Home    string // where contexts are kept: the user's configuration folder

	// Enter, if set, makes an ordinary user able to build sandboxes; see
	// native.EnterUserNamespace.
	Enter func(context.Context) (inside bool, exitCode int, err error)

	url, key, format string // the global flags
	noColor          bool
}

// Main runs the command line of this process and returns its exit code. Enter
// is for App.
func Main(version string, enter func(context.Context) (bool, int, error)) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	home, err := os.UserConfigDir()
	if err != nil {
		home = os.TempDir()
	}
	a := &App{Version: version, In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Getenv, Home: home, Enter: enter}
	return a.Run(ctx, os.Args[1:])
}

// Run executes args and returns the exit code. Errors are printed.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	var exit exitError
	if errors.As(err, &exit) {
		return int(exit)
	}
	a.printError(err)
	return exitCode(err)
}

func (a *App) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "hearth",
		Short: "Run functions on your own machine, each sealed in a sandbox",
		Long: `Hearth is a serverless platform that you run yourself. Deploy a Python or
JavaScript function and call it over HTTP.

  hearth up                         start a server with the examples
  hearth deploy ./hello             deploy a folder or a file
  hearth invoke hello -d '{"a":1}'  call it
  hearth logs -f hello              watch what it prints`,
		Version:       a.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetVersionTemplate("hearth {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%s", err).WithHint("see: %s --help", cmd.CommandPath())
	})
	f := root.PersistentFlags()
	f.StringVar(&a.url, "url", "", "address of the server (default $HEARTH_URL, the context of hearth login, or the server on this host)")
	f.StringVar(&a.key, "key", "", "API key (default $HEARTH_API_KEY)")
	f.StringVarP(&a.format, "output", "o", "", "table, plain or json (default: a table for people, plain for programs)")
	f.BoolVar(&a.noColor, "no-color", false, "no colours (also $NO_COLOR)")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "plain", "json"}, cobra.ShellCompDirectiveNoFileComp))
	root.PersistentPreRunE = func(*cobra.Command, []string) error {
		switch a.format {
		case "", formatTable, formatPlain, formatJSON:
			return nil
		}
		return usage("output %q is not known", a.format).WithHint("use table, plain or json")
	}

	group := func(id, title string, cmds ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: id, Title: title})
		for _, c := range cmds {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	group("functions", "Functions:", a.deployCmd(), a.invokeCmd(), a.listCmd(), a.getCmd(), a.versionsCmd(), a.rollbackCmd(), a.deleteCmd())
	group("look", "Look inside:", a.logsCmd(), a.invocationsCmd(), a.metricsCmd(), a.topCmd(), a.loadCmd())
	group("server", "Server:", a.upCmd(), a.serveCmd(), a.doctorCmd(), a.loginCmd(), a.openCmd(), a.usersCmd(), a.keysCmd())
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

// wrapArgs makes a wrong number of arguments a usage error that shows the
// command's form.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage("%s", err).WithHint("write: %s", cmd.UseLine())
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// usage is an error of how the command was given.
func usage(format string, args ...any) *hearth.Error {
	return hearth.Errorf(hearth.CodeInvalid, format, args...)
}

func exitCode(err error) int {
	var e *hearth.Error
	if !errors.As(err, &e) {
		if strings.HasPrefix(err.Error(), "unknown command") {
			return ExitUsage
		}
		return ExitPlatform
	}
	switch e.Code.Fault() {
	case hearth.FaultFunction:
		return ExitFunction
	case hearth.FaultCaller:
		return ExitUsage
	}
	return ExitPlatform
}

// printError shows what was wrong, what the function said, and what to do.
func (a *App) printError(err error) {
	var e *hearth.Error
	if !errors.As(err, &e) {
		e = &hearth.Error{Message: err.Error()}
		if strings.HasPrefix(e.Message, "unknown command") {
			e.Hint = "see: hearth --help"
		}
	}
	p := a.printer(a.Err)
	if a.format == formatJSON {
		p.json(map[string]any{"error": e})
		return
	}
	message := e.Message
	if e.Type != "" && !strings.Contains(message, e.Type) {
		message = e.Type + ": " + message
	}
	if e.Code.Fault() == hearth.FaultPlatform && e.Cause != nil {
		message = e.Error()
	}
	p.printf("%s %s\n", p.red("error:"), message)
	if e.Trace != "" {
		p.printf("%s\n", p.dim(strings.TrimRight(e.Trace, "\n")))
	}
	if e.Hint != "" {
		p.printf("%s %s\n", p.bold("next: "), e.Hint)
	}
}

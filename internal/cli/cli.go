package cli

import (
	"context"
	"errors"
	"fmt"
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

	ExitInterrupted = 130 // by Ctrl-C, as shells have it
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
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
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
	if ctx.Err() != nil && (hearth.ErrorCode(err) == hearth.CodeCancelled || errors.Is(err, context.Canceled)) {
		return ExitInterrupted // who pressed Ctrl-C knows
	}
	var name string
	if _, serr := fmt.Sscanf(err.Error(), "unknown command %q", &name); serr == nil {
		err = argsError(root, []string{name}, err)
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
	root.SetFlagErrorFunc(flagError)
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
	group("functions", "Functions:", a.deployCmd(), a.invokeCmd(), a.replayCmd(), a.testEventsCmd(), a.listCmd(), a.getCmd(), a.versionsCmd(), a.deploysCmd(), a.rollbackCmd(), a.deleteCmd())
	group("look", "Look inside:", a.logsCmd(), a.invocationsCmd(), a.errorsCmd(), a.metricsCmd(), a.usageCmd(), a.topCmd(), a.loadCmd())
	group("server", "Server:", a.upCmd(), a.serveCmd(), a.doctorCmd(), a.loginCmd(), a.openCmd(), a.usersCmd(), a.keysCmd())
	for _, c := range root.Commands() {
		wrapArgs(c)
	}
	return root
}

func exitCode(err error) int {
	var e *hearth.Error
	if !errors.As(err, &e) {
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
		e = &hearth.Error{Code: hearth.CodePlatform, Message: err.Error()}
	}
	e = a.whereFrom(e)
	p := a.printer(a.Err)
	if a.format == formatJSON {
		p.json(map[string]any{"error": e})
		return
	}
	message, trace := harmless(text(e)), strings.TrimRight(harmless(e.Trace), "\n")
	if line, rest, more := strings.Cut(message, "\n"); more && strings.Contains(trace, rest) {
		message = line // the trace says the rest
	}
	p.printf("%s %s\n", p.red("error:"), message)
	if strings.Contains(trace, "\n") || !strings.Contains(message, trace) {
		p.printf("%s\n", p.dim(trace))
	}
	if e.Hint != "" {
		p.printf("%s %s\n", p.bold("next: "), harmless(e.Hint))
	}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/bundle"
)

func (a *App) deployCmd() *cobra.Command {
	var s settings
	var env []string
	c := &cobra.Command{
		Use:   "deploy PATH",
		Short: "Deploy a folder, a source file or an archive as a function",
		Long: `Deploy sends the code at PATH (a folder, a single .py, .js, .mjs or .cjs file, a .zip or
a .tar.gz) and returns when the new version serves. If it can't be loaded you get
the error, and the version before goes on serving.

A folder may hold hearth.yaml with the names of the flags below; flags win.
What pages of other origins may do is said there by cors, for the whole function
or in a route of its own, which then holds in place of the function's:

  cors: {origins: ["*"]}
  route:
    - /shop/*
    - {method: POST, path: /pay, cors: {origins: [https://shop.example.org], credentials: true, max-age: 1h}}
    - {path: /internal, cors: {origins: []}}    # none: the function answers browsers itself

A file .hearthignore there names what stays behind, in the manner of .gitignore.`,
		Example: `  hearth deploy ./hello
  hearth deploy main.py --name hello --route /hello --public
  hearth deploy ./shop --route /shop --route "POST /pay" --cors-origin "*" --cors-origin "POST /pay=https://shop.example.org"
  hearth deploy ./api --memory 256 --timeout 3s --env MODE=production`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s.changed = cmd.Flags().Changed
			if err := s.unify("hearth deploy"); err != nil {
				return err
			}
			var size mib
			if s.Message != "" && size.Set(s.Message) == nil {
				return usage("--message is %q, a size", s.Message).WithField("message").WithHint("-m is short for --message; for memory write --memory %s", s.Message)
			}
			s.Env = map[string]string{}
			for _, kv := range env {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					if v, ok = os.LookupEnv(k); !ok {
						return usage("--env %s has no value, and this shell has none either", kv).WithHint("write --env %s=VALUE", k)
					}
				}
				s.Env[k] = v
			}
			return a.deploy(cmd.Context(), args[0], s)
		},
	}
	f := c.Flags()
	f.StringVar(&s.Name, "name", "", "name of the function (default: of the folder or file)")
	f.StringVar(&s.Runtime, "runtime", "", "python, nodejs, or one version of them (default: guessed from the code)")
	f.StringVar(&s.Language, "language", "", "the same as --runtime: python or javascript")
	f.StringVar(&s.Handler, "handler", "", "module.function (default: guessed from the code)")
	f.StringVar(&s.Sandbox, "sandbox", "", "what isolates it (default: the server's, native)")
	f.StringVarP(&s.Message, "message", "m", "", "what changed, for the history of deploys: one line, up to 200 characters")
	f.Var(&s.Memory, "memory", "memory of a sandbox in MiB (default 128)")
	f.DurationVarP(&s.Timeout, "timeout", "t", 0, "longest time of one call (default 10s)")
	f.Float64Var(&s.CPU, "cpu", 0, "cores of a sandbox (default 1)")
	f.IntVar(&s.PIDs, "pids", 0, "processes and threads of a sandbox (default 64)")
	f.Var(&s.Tmp, "tmp", "size of /tmp in MiB (default 64)")
	f.IntVar(&s.Concurrency, "concurrency", 0, "calls at once in one sandbox (default 1)")
	f.IntVar(&s.MaxScale, "max-scale", 0, "sandboxes at once (default: the server's limit)")
	f.IntVar(&s.MinWarm, "min-warm", 0, "sandboxes kept ready (default 0)")
	f.DurationVar(&s.KeepAlive, "keep-alive", 0, "idle time before a sandbox is let go (default: the server's)")
	f.Var(&s.Route, "route", `own address, like /hello, /shop/* or "POST /hook"; may be repeated`)
	f.Var(&s.Origins, "cors-origin", `web origin whose pages may call it, like https://app.example.org or *; "POST /hook=ORIGIN"
for one route, none for no origin; may be repeated (methods, headers and more: cors in hearth.yaml)`)
	f.BoolVar(&s.Public, "public", false, "its routes need no key")
	f.StringVar(&s.Network, "network", "", "none or egress (default none)")
	f.StringArrayVarP(&env, "env", "e", nil, "environment variable K=V, or K to take it from this shell; may be repeated")
	f.IntVar(&s.BatchSize, "batch-size", 0, "calls put together in one")
	f.DurationVar(&s.BatchWait, "batch-wait", 0, "longest wait for a batch to fill")
	f.StringVar(&s.Capture, "capture", "", "off, errors or sampled: of which calls the server keeps what they were asked and answered (default errors)")
	f.StringVar(&s.OnDisconnect, "on-disconnect", "", "cancel or finish: what becomes of a call whose caller went away (default cancel)")
	for flag, values := range map[string][]string{
		"runtime": {"python", "nodejs"}, "language": {"python", "javascript"}, "network": {"none", "egress"}, "on-disconnect": {"cancel", "finish"},
		"capture": {"off", "errors", "sampled"},
	} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
	return c
}

// deploy packs path, sends it and says what became of it.
func (a *App) deploy(ctx context.Context, path string, flags settings) error {
	req, err := prepare(path, flags)
	if err != nil {
		return err
	}
	cl, err := a.client()
	if err != nil {
		return err
	}
	p := a.out()
	done := a.progress("deploying " + req.Name)
	d, err := send(ctx, cl, path, req)
	done()
	if err != nil {
		return err
	}
	if p.form == formatJSON {
		p.json(d)
		return nil
	}
	printDeployed(p, cl.URL(), d)
	return nil
}

// prepare reads hearth.yaml, lets flags win, and makes the request without its
// code.
func prepare(path string, flags settings) (client.DeployRequest, error) {
	info, err := os.Stat(path)
	if err != nil {
		return client.DeployRequest{}, usage("there is nothing at %s", path).WithHint("name a folder, a source file or an archive")
	}
	var s settings
	if info.IsDir() {
		if s, err = readProject(path); err != nil {
			return client.DeployRequest{}, err
		}
	}
	s = s.overlay(flags)
	if err := s.applyOrigins(); err != nil {
		return client.DeployRequest{}, err
	}
	if s.Name == "" {
		s.Name = defaultName(path)
	}
	if err := hearth.ValidateName(s.Name); err != nil {
		return client.DeployRequest{}, err
	}
	cfg, err := s.config()
	return client.DeployRequest{Name: s.Name, Config: cfg}, err
}

// defaultName is the name of the folder or file, made legal.
func defaultName(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		abs = path
	}
	base := filepath.Base(abs)
	for _, ext := range []string{".tar.gz", ".tgz", ".tar", ".zip", ".py", ".mjs", ".cjs", ".js"} {
		if b, ok := strings.CutSuffix(base, ext); ok && b != "" {
			base = b
			break
		}
	}
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '-'
	}, base), "-")
}

// send packs a folder or sends a file as it is.
func send(ctx context.Context, cl *client.Client, path string, req client.DeployRequest) (rest.Deployed, error) {
	info, err := os.Stat(path)
	if err != nil {
		return rest.Deployed{}, usage("read %s: %w", path, err)
	}
	if !info.IsDir() {
		f, err := os.Open(path)
		if err != nil {
			return rest.Deployed{}, usage("read %s: %w", path, err)
		}
		defer f.Close()
		req.Code, req.Filename = f, filepath.Base(path)
		return cl.Deploy(ctx, req)
	}
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, err := bundle.Pack(pw, path)
		pw.CloseWithError(err)
	}()
	req.Code, req.Filename = pr, "code.tar.gz"
	return cl.Deploy(ctx, req)
}

func printDeployed(p *printer, base string, d rest.Deployed) {
	f, v, r := d.Function, d.Version, d.Ready
	p.printf("%s %s live in %s (%s start %s, import %s)\n", p.green("✓"), p.bold(v.Ref()), millis(r.Total), r.Start, millis(r.Took), millis(r.Import))
	p.printf("  %s  %s · %s · %d MiB · %v CPU · %s · network %s\n", p.dim("runs  "), v.Runtime, v.Handler, v.Config.Limits.MemoryMiB, v.Config.Limits.CPU, v.Config.Limits.Timeout, v.Config.Network)
	p.printf("  %s  %s: %s\n", p.dim("sealed"), v.Sandbox, r.Sealed)
	access := "needs a key"
	if f.Public {
		access = "public"
	}
	for i, u := range f.URLs {
		label := "url   "
		if i > 0 {
			label = "      "
		}
		p.printf("  %s  %s %s\n", p.dim(label), absolute(base, u), p.dim("("+access+")"))
	}
	for _, w := range r.Warnings {
		p.printf("  %s  %s\n", p.amber("weaker"), w)
	}
	p.printf("  %s  hearth invoke %s -d '{}'   hearth logs -f %s\n", p.dim("try   "), f.Name, f.Name)
}

// absolute puts the server's address before a path.
func absolute(base, u string) string {
	if strings.HasPrefix(u, "/") {
		return base + u
	}
	return u
}

// progress shows on a terminal that something goes on, until the returned
// function is called.
func (a *App) progress(what string) func() {
	if !isTerminal(a.Err) || a.format == formatJSON {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		start := time.Now()
		for i := 0; ; i++ {
			select {
			case <-stop:
				fmt.Fprint(a.Err, "\r\x1b[K")
				return
			case <-tick.C:
				fmt.Fprintf(a.Err, "\r\x1b[K%c %s %.1fs", []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")[i%10], what, time.Since(start).Seconds())
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

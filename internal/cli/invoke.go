package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
)

func (a *App) invokeCmd() *cobra.Command {
	var data, event string
	var version int
	var verbose bool
	c := &cobra.Command{
		Use:   "invoke NAME",
		Short: "Call a function and print what it returns",
		Example: `  hearth invoke hello -d '{"name":"Ada"}'
  hearth invoke resize -d @photo.json > out.json
  cat event.json | hearth invoke hello -d -
  hearth invoke shop --event 'an order of two lamps'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: a.completeFunctions,
		RunE: func(cmd *cobra.Command, args []string) error {
			if event != "" && (data != "" || version != 0) {
				return usage("--event is a whole call, and --data or --version change it").WithField("event").WithHint("leave them out")
			}
			if event != "" {
				return a.reply(cmd.Context(), args[0], verbose, func(ctx context.Context, cl *client.Client) (*client.Reply, error) {
					e, err := cl.TestEvent(ctx, args[0], event)
					if err != nil {
						return nil, err
					}
					return cl.CallTestEvent(ctx, args[0], e)
				})
			}
			body, err := a.payload(data)
			if err != nil {
				return err
			}
			return a.reply(cmd.Context(), args[0], verbose, func(ctx context.Context, cl *client.Client) (*client.Reply, error) {
				return cl.Invoke(ctx, client.InvokeRequest{Name: args[0], Version: version, Body: body})
			})
		},
	}
	c.Flags().StringVarP(&data, "data", "d", "", "the event: JSON, @file, or - for standard input (default null)")
	c.Flags().StringVar(&event, "event", "", "make a call that is kept with the function, by its name; see hearth test-events")
	c.Flags().IntVar(&version, "version", 0, "call this version (default: the active one)")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say how it started and how long it took, and show its log")
	return c
}

// payload reads what -d names.
func (a *App) payload(data string) (io.Reader, error) {
	switch {
	case data == "":
		return nil, nil
	case data == "-":
		return a.In, nil
	case strings.HasPrefix(data, "@"):
		b, err := os.ReadFile(data[1:])
		if err != nil {
			return nil, usage("the event can't be read: %w", err).WithHint("@ names a file: -d @event.json")
		}
		return bytes.NewReader(b), nil
	}
	return strings.NewReader(data), nil
}

// reply makes a call and prints what the function answers.
func (a *App) reply(ctx context.Context, name string, verbose bool, call func(context.Context, *client.Client) (*client.Reply, error)) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	r, err := call(ctx, cl)
	if err != nil {
		return a.failed(ctx, cl, name, err, verbose)
	}
	return a.printReply(ctx, cl, r, verbose)
}

// printReply writes the body of a reply, and closes it.
func (a *App) printReply(ctx context.Context, cl *client.Client, r *client.Reply, verbose bool) error {
	defer r.Body.Close()
	tail := &lastByte{w: a.Out}
	if isTerminal(a.Out) { // a file or a pipe gets every byte
		h := &harmlessWriter{w: a.Out}
		defer func() { _ = h.Close() }() // the copy has told already if the terminal is gone
		tail.w = h
	}
	if _, err := io.Copy(tail, r.Body); err != nil {
		if tail.err != nil {
			return hearth.Errorf(hearth.CodePlatform, "the reply can't be written: %w", tail.err)
		}
		if ctx.Err() != nil {
			return hearth.Errorf(hearth.CodeCancelled, "the call was given up: %w", ctx.Err())
		}
		var e *hearth.Error
		if errors.As(err, &e) {
			return e
		}
		return hearth.Errorf(hearth.CodeFunctionCrashed, "the reply broke off: %w", err).
			WithHint("see: hearth invocations %s", r.Invocation)
	}
	if tail.last != '\n' && isTerminal(a.Out) {
		_, _ = io.WriteString(a.Out, "\n")
	}
	if verbose {
		a.explain(ctx, cl, r.Invocation, r.Start)
	}
	return nil
}

// failed adds to the error of a call where to read more.
func (a *App) failed(ctx context.Context, cl *client.Client, name string, err error, verbose bool) error {
	var f *client.Failure
	if !errors.As(err, &f) {
		return noSuch(ctx, cl, name, err)
	}
	if verbose {
		a.explain(ctx, cl, f.Invocation, "")
	}
	if f.Err.Hint == "" {
		return f.Err.WithHint("see what it printed: hearth invocations %s", f.Invocation)
	}
	return err
}

// explain prints the record of a call and its log on the error stream. Both are
// written in batches, so a call may be gone before its record is there.
func (a *App) explain(ctx context.Context, cl *client.Client, id string, start hearth.Start) {
	p := a.printer(a.Err)
	lines, err := cl.Logs(ctx, client.LogsQuery{Invocation: id}, client.Page{Limit: 1000})
	if err == nil {
		for _, l := range lines.Items {
			p.printf("%s\n", p.dim("log     "+harmless(l.Text)))
		}
	}
	inv, err := cl.Invocation(ctx, id)
	if err != nil {
		p.printf("%s\n", p.dim(strings.TrimSpace("call    "+id+" "+string(start))))
		return
	}
	ph := inv.Phases
	p.printf("%s\n", p.dim("call    "+inv.ID+" · "+string(inv.Start)+" · "+millis(inv.Duration)))
	p.printf("%s\n", p.dim("phases  queue "+millis(ph.Queue)+" · sandbox "+millis(ph.Sandbox)+" · load "+millis(ph.Load)+
		" · import "+millis(ph.Import)+" · handler "+millis(ph.Handler)+" · reply "+millis(ph.Reply)))
}

// lastByte remembers the last byte that went through, and what w failed with.
type lastByte struct {
	w    io.Writer
	last byte
	err  error
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.last = p[len(p)-1]
	}
	n, err := l.w.Write(p)
	l.err = err
	return n, err
}

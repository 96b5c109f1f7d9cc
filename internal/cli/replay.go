package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
)

func (a *App) replayCmd() *cobra.Command {
	var r client.ReplayRequest
	var verbose bool
	c := &cobra.Command{
		Use: "replay ID", Short: "Call a function once more with the event of an earlier call", Args: cobra.ExactArgs(1),
		Long: `Calls a function once more with the event of an earlier call, which must have been
captured: those that fail are, unless the function is deployed with --capture off.
Secrets are not kept; an event that had some is only sent with --force, with
"[redacted]" in their place.`,
		Example: "  hearth replay 01JABCDEFGHJKMNPQRSTVWXYZ0\n  hearth replay 01JABCDEFGHJKMNPQRSTVWXYZ0 --version 3 --force -v",
		RunE: a.with(func(ctx context.Context, cl *client.Client, args []string) error {
			r.Invocation = strings.ToUpper(args[0])
			if !isULID(r.Invocation) {
				return usage("%q is not the id of a call", args[0]).WithHint("hearth invocations lists them; hearth invocations --failed those that failed")
			}
			reply, err := cl.Replay(ctx, r)
			var f *client.Failure
			if errors.As(err, &f) {
				return a.failed(ctx, cl, "", err, verbose)
			}
			if err != nil {
				return err
			}
			if err := a.printReply(ctx, cl, reply, verbose); err != nil {
				return err
			}
			if reply.Status >= 400 {
				a.printer(a.Err).printf("the function answered %d\n", reply.Status)
			}
			return nil
		}),
	}
	c.Flags().IntVar(&r.Version, "version", 0, "call this version (default: the active one)")
	c.Flags().BoolVar(&r.Force, "force", false, "also if something of the event was cut off or taken out")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "also say how it started and how long it took, and show its log")
	return c
}

// capture shows what a call was asked and answered, if it is kept and the
// caller may see it.
func (a *App) capture(ctx context.Context, cl *client.Client, p *printer, id string) error {
	c, err := cl.Capture(ctx, id)
	switch hearth.ErrorCode(err) {
	case "":
	case hearth.CodeForbidden:
		p.printf("%s\n", p.dim("what it was asked and answered is for developers"))
		return nil
	default:
		return err
	}
	if h := c.Request.HTTP; h != nil {
		target := h.Path
		if h.RawQuery != "" {
			target += "?" + h.RawQuery
		}
		p.printf("%s %s\n", p.bold("request"), harmless(h.Method+" "+target))
		printHeaders(p, h.Headers)
	} else {
		p.printf("%s\n", p.bold("event"))
	}
	printBody(p, c.Request.CapturedBody)
	if c.Reply != nil {
		status := ""
		if c.Reply.Status != 0 {
			status = fmt.Sprint(" ", c.Reply.Status)
		}
		p.printf("%s%s\n", p.bold("reply"), status)
		printHeaders(p, c.Reply.Headers)
		printBody(p, c.Reply.CapturedBody)
	}
	if len(c.Redacted) > 0 {
		p.printf("%s\n", p.dim("taken out: "+harmless(strings.Join(c.Redacted, ", "))))
	}
	return nil
}

func printHeaders(p *printer, h map[string][]string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[name] {
			p.printf("  %s %s\n", p.dim(harmless(name)+":"), harmless(v))
		}
	}
}

func printBody(p *printer, b hearth.CapturedBody) {
	switch {
	case b.Bytes == 0:
		return
	case b.Body == "":
		p.printf("  %s\n", p.dim(fmt.Sprintf("(%s that are not kept)", size(b.Bytes))))
		return
	case b.Base64:
		p.printf("  %s\n", p.dim(fmt.Sprintf("(%s of bytes; -o json shows them in base64)", size(b.Bytes))))
		return
	}
	for line := range strings.Lines(harmless(b.Body)) {
		p.printf("  %s\n", strings.TrimRight(line, "\n"))
	}
	if b.Truncated {
		p.printf("  %s\n", p.dim(fmt.Sprintf("… (%s in all)", size(b.Bytes))))
	}
}

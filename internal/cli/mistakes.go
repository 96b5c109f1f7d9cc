package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearth"
	"hearth/client"
)

// usage is an error of how the command was given.
func usage(format string, args ...any) *hearth.Error {
	return hearth.Errorf(hearth.CodeInvalid, format, args...)
}

// flagError says what is wrong with a flag, and the nearest one there is.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var unknown *pflag.NotExistError
	see := "see: " + cmd.CommandPath() + " --help"
	switch {
	case errors.As(err, &value):
		f := value.GetFlag()
		var own *hearth.Error
		if errors.As(err, &own) {
			return named("--"+f.Name, own).WithField(f.Name)
		}
		return usage("--%s %q is not %s", f.Name, value.GetValue(), kindOf(f.Value.Type())).WithField(f.Name).
			WithHint("%s", formOf(f.Value.Type(), see))
	case errors.As(err, &unknown):
		var names []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		name := unknown.GetSpecifiedName()
		if near := nearest(name, names); near != "" && unknown.GetSpecifiedShortnames() == "" {
			return usage("%s has no flag --%s", cmd.CommandPath(), name).WithHint("did you mean --%s? %s", near, see)
		}
	}
	return usage("%s", err).WithHint("%s", see)
}

// named returns e with what it is about in front, if it doesn't say that itself.
func named(what string, e *hearth.Error) *hearth.Error {
	c := *e
	if !strings.Contains(c.Message, strings.TrimLeft(what, "-")) {
		c.Message = what + ": " + c.Message
	}
	return &c
}

// kindOf names a type of flag or setting as people do.
func kindOf(typ string) string {
	switch typ {
	case "duration":
		return "a duration"
	case "float64":
		return "a number"
	case "int", "int64":
		return "a whole number"
	case "bool":
		return "true or false"
	}
	return "a " + typ
}

// formOf says how a value of a type is written.
func formOf(typ, otherwise string) string {
	switch typ {
	case "duration":
		return "write it like 300ms, 3s or 2m"
	case "float64":
		return "write it like 0.5 or 2"
	case "int", "int64":
		return "write it like 2"
	}
	return otherwise
}

// wrapArgs makes a wrong number of arguments, and a command that there is not,
// usage errors that say what is meant.
func wrapArgs(c *cobra.Command) {
	check := c.Args
	if check == nil {
		check = cobra.ArbitraryArgs
		if c.HasSubCommands() {
			check = cobra.NoArgs
		}
	}
	c.Args = func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			return nil
		}
		return argsError(cmd, args, err)
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

func argsError(cmd *cobra.Command, args []string, err error) error {
	if cmd.HasSubCommands() && len(args) > 0 {
		e := usage("%s has no command %q", cmd.CommandPath(), args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			return e.WithHint("did you mean: %s %s? see: %s --help", cmd.CommandPath(), near[0], cmd.CommandPath())
		}
		return e.WithHint("see: %s --help", cmd.CommandPath())
	}
	form := "write: " + strings.TrimSuffix(cmd.UseLine(), " [flags]")
	wanted := strings.Fields(cmd.Use)[1:]
	most := len(wanted)
	if strings.Contains(cmd.Use, "|") { // "[NAME | ID]"
		most = 1
	}
	if len(args) > most {
		return usage("%q is one argument too many", args[most]).WithHint("%s; a value with spaces needs quotes", form)
	}
	if len(args) < len(wanted) {
		return usage("%s is missing", wanted[len(args)]).WithHint("%s", form)
	}
	return usage("%s", err).WithHint("%s", form)
}

// nearest returns the candidate that s was likely meant to be, "" if none is.
func nearest(s string, candidates []string) string {
	best, least := "", max(1, len(s)/3)+1
	for _, c := range candidates {
		d := distance(s, c)
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// distance counts the letters to insert, remove, replace or swap with their
// neighbour that make b of a.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int // the row before the last
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

// noSuch adds to the error of a function that there is not the name of one that
// was likely meant.
func noSuch(ctx context.Context, cl *client.Client, name string, err error) error {
	var e *hearth.Error
	if !errors.As(err, &e) || e.Code != hearth.CodeNotFound || !strings.Contains(e.Message, "no function") {
		return err
	}
	fs, lerr := functions(ctx, cl, "")
	if lerr != nil {
		return err
	}
	names := make([]string, len(fs))
	for i, f := range fs {
		names[i] = f.Name
	}
	if near := nearest(name, names); near != "" {
		return e.WithHint("did you mean %s? `hearth list` shows the functions there are", near)
	}
	return err
}

// text is what a person reads of an error. A cause never came over the network:
// it is this program's own.
func text(e *hearth.Error) string {
	message := e.Message
	if e.Cause != nil && !strings.Contains(message, e.Cause.Error()) {
		message = e.Error()
	}
	if e.Type != "" && !strings.Contains(message, e.Type) {
		message = fmt.Sprintf("%s: %s", e.Type, message)
	}
	return message
}

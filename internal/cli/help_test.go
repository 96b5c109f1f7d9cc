package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// Every command and every flag says what it is for.
func TestHelpTexts(t *testing.T) {
	a := &App{Version: "test", Env: func(string) string { return "" }}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Short[:1] != strings.ToUpper(c.Short[:1]) {
			t.Errorf("%s: %q is no one-line help", c.CommandPath(), c.Short)
		}
		if c.HasParent() && c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s --%s: %q is no help", c.CommandPath(), f.Name, f.Usage)
			}
		})
		s := &shell{t: t, home: t.TempDir()}
		path := strings.Fields(c.CommandPath())[1:]
		wants(t, s.must(append(path, "--help")...), "Usage:", "--help")
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.root())
}

func TestVersion(t *testing.T) {
	s := &shell{t: t, home: t.TempDir()}
	if out := s.must("--version"); out != "hearth test\n" {
		t.Errorf("the version is %q", out)
	}
}

// Shells complete commands, functions and the values of flags.
func TestCompletion(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	e.Deploy("help-desk", rest.DeployConfig{})
	s := newShell(t, e)
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		wants(t, s.must("completion", shell), "hearth")
	}
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"depl"}, []string{"deploy"}},
		{[]string{"invoke", "hel"}, []string{"hello", "help-desk"}},
		{[]string{"logs", "hello"}, []string{"hello"}},
		{[]string{"deploy", "--network", ""}, []string{"none", "egress"}},
		{[]string{"deploy", "--runtime", ""}, []string{"python", "nodejs"}},
		{[]string{"list", "-o", ""}, []string{"table", "plain", "json"}},
	} {
		wants(t, s.must(append([]string{"__complete"}, c.args...)...), c.want...)
	}
	// A shell without a server completes nothing, and says nothing.
	lost := &shell{t: t, home: t.TempDir(), env: map[string]string{"HEARTH_DATA": t.TempDir()}}
	if out := lost.must("__complete", "invoke", ""); strings.Contains(out, "error") {
		t.Errorf("completion says %q", out)
	}
}

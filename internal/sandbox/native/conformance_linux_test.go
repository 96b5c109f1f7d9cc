package native_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
	"hearth/internal/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	if os.Getuid() != 0 {
		skip(t, "needs root")
	}
	sandboxtest.Run(t, sandboxtest.Config{
		New: func(t testing.TB, p sandboxtest.Place) sandbox.Driver {
			return mustDriver(t, native.Config{Dir: p.Dir, Instance: p.Instance})
		},
		Runtimes:     runtimes,
		SharedKernel: true,
		Killable:     true,
		KillEnv:      []string{serverEnv + "=1"},
		HostState:    hostState,
	})
}

// runtimes returns the best interpreter of each language.
func runtimes(t testing.TB, dir string) []hearth.Runtime {
	t.Helper()
	var all []hearth.Runtime
	for name, l := range languages {
		rts, note, err := l.Detect(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(rts) == 0 {
			skip(t, "this host lacks "+name+": "+note)
		}
		all = append(all, rts[0])
	}
	slices.SortFunc(all, func(a, b hearth.Runtime) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// hostState lists what the driver has for sandboxes. Zygotes come and go by
// themselves.
func hostState(t testing.TB, d sandbox.Driver) []string {
	t.Helper()
	traces, err := native.Traces(d.(*native.Driver))
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "hearth-") {
			traces = append(traces, "mount "+line)
		}
	}
	return slices.DeleteFunc(traces, func(s string) bool { return strings.Contains(s, " zygote-") })
}

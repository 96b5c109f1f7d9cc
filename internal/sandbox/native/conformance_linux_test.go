package native_test

import (
	"maps"
	"os"
	"slices"
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
		Runtimes: func(t testing.TB, dir string) (all []hearth.Runtime) {
			for _, name := range slices.Sorted(maps.Keys(languages)) {
				rts, note, err := languages[name].Detect(t.Context(), dir)
				switch {
				case err != nil:
					t.Fatal(err)
				case len(rts) == 0:
					skip(t, note)
				}
				all = append(all, rts[0])
			}
			return all
		},
		SharedKernel: true,
		Killable:     true,
		KillEnv:      []string{serverEnv + "=1"},
		HostState: func(t testing.TB, d sandbox.Driver) []string {
			all, err := native.Traces(d.(*native.Driver))
			if err != nil {
				t.Fatal(err)
			}
			return all
		},
	})
}

package fake_test

import (
	"testing"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/sandbox/sandboxtest"
)

func TestConformance(t *testing.T) {
	sandboxtest.Run(t, sandboxtest.Config{
		New: func(t testing.TB, _ sandboxtest.Place) sandbox.Driver {
			d := fake.New(fake.Options{})
			t.Cleanup(func() {
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			})
			return d
		},
		Runtimes: func(testing.TB, string) []hearth.Runtime { return []hearth.Runtime{fake.Runtime()} },
		Scripts:  true,
		HostState: func(_ testing.TB, d sandbox.Driver) []string {
			return d.(*fake.Driver).Alive()
		},
	})
}

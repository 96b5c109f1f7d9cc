package native_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"hearth/internal/sandbox/native"
)

// shims is where the languages write their shims: a folder that the
// sandboxes' users can read.
var shims string

func TestMain(m *testing.M) {
	// The driver starts the running program again as the init of sandboxes:
	// here that is the test binary.
	if native.IsInit() {
		os.Exit(native.Init())
	}
	if os.Getenv(rootlessEnv) != "" {
		entered, status, err := native.EnterUserNamespace(context.Background())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if !entered {
			os.Exit(status)
		}
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	defer func() { _ = os.RemoveAll(shims) }() // "" if no test needed it
	return m.Run()
}

// shimsDir makes the folder the first time. Many processes of this binary, those
// of helpers and of servers that are killed, never need it and couldn't remove it.
var shimsDir = sync.OnceValues(func() (string, error) {
	var err error
	if shims, err = os.MkdirTemp("", "hearth-shims-"); err != nil {
		return "", err
	}
	return shims, os.Chmod(shims, 0o755)
})

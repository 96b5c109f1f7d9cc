package native_test

import (
	"context"
	"fmt"
	"os"
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
	if os.Getenv(serverEnv) != "" {
		return m.Run() // it is killed, so it must make no folder
	}
	var err error
	if shims, err = os.MkdirTemp("", "hearth-shims-"); err == nil {
		err = os.Chmod(shims, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(shims)
	return m.Run()
}

package native_test

import (
	"os"
	"testing"

	"hearth/internal/sandbox/native"
)

// The driver starts the running program again as the init of sandboxes: here
// that is the test binary.
func TestMain(m *testing.M) {
	if native.IsInit() {
		os.Exit(native.Init())
	}
	os.Exit(m.Run())
}

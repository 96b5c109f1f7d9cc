package engine

import "testing"

func TestHostAvailableMiB(t *testing.T) {
	if n, err := HostAvailableMiB(); err != nil || n < 16 || n > 64<<20 {
		t.Errorf("%d MiB, %v", n, err)
	}
}

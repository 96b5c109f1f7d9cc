package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// HostAvailableMiB reads how much memory this host could still give without
// swapping. It fits Config.AvailableMiB.
func HostAvailableMiB() (int, error) {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read the host's memory: %w", err)
	}
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemAvailable:")); ok {
			kib, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(rest), []byte("kB")))))
			if err != nil {
				return 0, fmt.Errorf("read the host's memory: %w", err)
			}
			return kib / 1024, nil
		}
	}
	return 0, errors.New("read the host's memory: the kernel doesn't say what is available")
}

package server

import (
	"bufio"
	"fmt"
	"os"
)

// memoryBudget is what sandboxes may use together: as configured, else three
// quarters of the host's memory.
func memoryBudget(configured int) int {
	if configured > 0 {
		return configured
	}
	total, err := meminfo("MemTotal")
	if err != nil {
		return 0
	}
	return total * 3 / 4
}

// availableMiB is what the host could still give without swapping.
func availableMiB() (int, error) { return meminfo("MemAvailable") }

// meminfo reads a line of /proc/meminfo, in MiB.
func meminfo(name string) (int, error) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("look at the host's memory: %w", err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var kib int
		if n, _ := fmt.Sscanf(sc.Text(), name+": %d kB", &kib); n == 1 {
			return kib / 1024, nil
		}
	}
	return 0, fmt.Errorf("look at the host's memory: no %s in /proc/meminfo", name)
}

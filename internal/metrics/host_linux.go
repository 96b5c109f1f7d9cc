package metrics

import (
	"bufio"
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// hostClock tells what the host and this process used between two samples. It
// must not be used concurrently.
type hostClock struct {
	busy, total uint64 // ticks of all cores
	own         time.Duration
	at          time.Time
}

// sample looks. What can't be read is left zero, and n with it.
func (c *hostClock) sample() host {
	busy, total, ok := hostTicks()
	mem, _, okMem := HostMemory()
	if !ok || !okMem {
		return host{}
	}
	own, at := ownCPU(), time.Now()
	h := host{n: 1, memory: float64(mem), hearthMem: float64(ownMemory())}
	if d := total - c.total; c.total != 0 && d > 0 {
		h.cpu = float64(busy-c.busy) / float64(d)
	}
	if d := at.Sub(c.at); c.total != 0 && d > 0 {
		h.hearthCPU = float64(own-c.own) / float64(d) / float64(HostCores())
	}
	first := c.total == 0
	c.busy, c.total, c.own, c.at = busy, total, own, at
	if first {
		return host{}
	}
	return h
}

// hostCPU is how long the host's cores have worked since it started.
func hostCPU() (time.Duration, bool) {
	const perSecond = 100 // what the kernel tells user space, on every architecture that Go knows
	busy, _, ok := hostTicks()
	return time.Duration(busy) * (time.Second / perSecond), ok
}

// hostTicks reads the first line of /proc/stat.
func hostTicks() (busy, total uint64, ok bool) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		n, err := strconv.ParseUint(f, 10, 64)
		switch {
		case i == 0:
			continue // "cpu"
		case err != nil:
			return 0, 0, false
		case i > 8: // guests, which are counted as user time already
			continue
		case i != 4 && i != 5: // idle and waiting for the disk
			busy += n
		}
		total += n
	}
	return busy, total, total > 0
}

// HostMemory returns the bytes that the host uses and has, false where it
// can't tell.
func HostMemory() (used, total int64, ok bool) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0, 0, false
	}
	defer f.Close()
	var free int64
	for sc := bufio.NewScanner(f); sc.Scan() && (total == 0 || free == 0); {
		fields := bytes.Fields(sc.Bytes())
		if len(fields) < 2 {
			continue
		}
		n, err := strconv.ParseInt(string(fields[1]), 10, 64)
		if err != nil {
			continue
		}
		switch string(fields[0]) {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			free = n << 10
		}
	}
	return total - free, total, total > 0 && free > 0
}

func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ownMemory is what this process has resident.
func ownMemory() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize())
}

//go:build !linux

package metrics

import "time"

// hostClock knows nothing here: functions run on Linux only.
type hostClock struct{}

func (*hostClock) sample() host { return host{} }

func hostCPU() (time.Duration, bool) { return 0, false }

// HostMemory returns the bytes that the host uses and has, false where it
// can't tell.
func HostMemory() (used, total int64, ok bool) { return 0, 0, false }

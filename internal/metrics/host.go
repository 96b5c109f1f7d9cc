package metrics

import "runtime"

// HostCores is how many cores the host has that this process may use.
func HostCores() int { return runtime.NumCPU() }

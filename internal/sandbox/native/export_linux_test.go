package native

import "hearth/internal/sandbox"

// PID returns the first process of a sandbox, in the pid namespace of the test.
func PID(s sandbox.Sandbox) int { return s.(*cell).proc.pid }

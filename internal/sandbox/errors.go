package sandbox

import "errors"

// Errors that callers tell apart. Drivers wrap them.
var (
	ErrGone        = errors.New("the sandbox is dead")
	ErrAssigned    = errors.New("the sandbox already serves a version")
	ErrUnsupported = errors.New("this driver can't do it on this host")
	ErrStreams     = errors.New("no more streams into this sandbox")
)

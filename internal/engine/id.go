package engine

import (
	"crypto/rand"
	"strings"

	"github.com/oklog/ulid/v2"
)

// newInvocationID returns a ULID: ids sort by time.
func newInvocationID() string { return ulid.MustNew(ulid.Now(), rand.Reader).String() }

// newSandboxID returns a ULID in lower case: ids become names of directories
// and control groups.
func newSandboxID() string { return strings.ToLower(newInvocationID()) }

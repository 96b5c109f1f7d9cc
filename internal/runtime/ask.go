package runtime

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// askTimeout is long because a first start can be: from a cold disk, on a busy
// machine. An interpreter that comes too late would be missing for good.
const askTimeout = 30 * time.Second

// Ask runs an interpreter, which is to tell about itself, and returns what it
// prints. A nil env means that of this process. The error names the interpreter
// and what it said.
func Ask(ctx context.Context, env []string, interpreter string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, askTimeout, fmt.Errorf("no answer in %s", askTimeout))
	defer cancel()
	cmd := exec.CommandContext(ctx, interpreter, args...)
	cmd.Env = env
	cmd.WaitDelay = time.Second // children of a script may hold its output open
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
	}
	return nil, fmt.Errorf("ask %s for its version: %w", interpreter, err)
}

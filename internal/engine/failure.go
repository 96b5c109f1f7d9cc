package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"hearth"
	"hearth/internal/wire"
)

// What ends the context of a call, besides its caller.
var (
	errOverrun = errors.New("the invocation overran its time")
	errLoad    = errors.New("loading the function took too long")
	errIdle    = errors.New("the stream was silent for too long")
)

func notFound(name string) *hearth.Error {
	return hearth.Errorf(hearth.CodeNotFound, "there is no function %q", name).
		WithHint("`hearth list` shows the functions; `hearth deploy` makes one")
}

func shuttingDown() *hearth.Error {
	return hearth.Errorf(hearth.CodeUnavailable, "the server is shutting down").WithHint("try again in a moment")
}

func cancelled(ctx context.Context) *hearth.Error {
	return hearth.Errorf(hearth.CodeCancelled, "the caller went away: %w", context.Cause(ctx))
}

// throttled is the answer where even the queue is full. mu is held.
func (e *Engine) throttled(fn *function) *hearth.Error {
	err := hearth.Errorf(hearth.CodeThrottled, "%s has %d calls running and %d waiting", fn.name, fn.running, len(fn.queue)).
		WithHint("%s", e.moreRoom(fn))
	err.RetryAfter = hearth.Duration(time.Second)
	return err
}

// moreRoom says which limit is in the way.
func (e *Engine) moreRoom(fn *function) string {
	if fn.running >= fn.limit() && fn.limit() < e.cfg.MaxConcurrency {
		return "try again later, or deploy it with a higher --max-scale or --concurrency"
	}
	return "try again later; the server's limits (concurrency, sandboxes, queue) are in its configuration"
}

// timedOut is the answer to a call that waited for QueueTimeout. mu is held.
func (e *Engine) timedOut(t *ticket) *hearth.Error {
	if t.pool != nil && t.pool.startErr != nil {
		return t.pool.startErr
	}
	err := hearth.Errorf(hearth.CodeThrottled, "%s had no free place for %s", t.fn.name, e.cfg.QueueTimeout).
		WithHint("%s", e.moreRoom(t.fn))
	err.RetryAfter = hearth.Duration(time.Second)
	return err
}

func overrun(v hearth.Version) *hearth.Error {
	return hearth.Errorf(hearth.CodeFunctionTimeout, "the function ran longer than its limit of %s and was killed", v.Config.Limits.Timeout).
		WithHint("make it faster, or deploy it with a longer --timeout")
}

func overranIdle(v hearth.Version) *hearth.Error {
	return hearth.Errorf(hearth.CodeFunctionTimeout, "the function's stream was silent longer than its limit of %s and was killed", v.Config.Limits.IdleChunk).
		WithHint("send something more often, or set a longer idle_chunk in hearth.yaml")
}

func overranImport(v hearth.Version, limit time.Duration) *hearth.Error {
	return hearth.Errorf(hearth.CodeFunctionTimeout, "importing %s took longer than %s and was killed", module(v.Handler), limit).
		WithHint("what a module does at its top runs before the first call: move slow work into the handler")
}

// module is the part of a handler's name that is imported.
func module(handler string) string {
	if n := strings.LastIndexByte(handler, '.'); n > 0 {
		return handler[:n]
	}
	return handler
}

// functionError is what the shim said, in the caller's words.
func functionError(v hearth.Version, err *wire.Error) *hearth.Error {
	h := err.Hearth()
	if err.Kind == wire.ErrorCancelled {
		// Nobody cancelled it: the code uses that name for itself.
		h.Code = hearth.CodeFunctionError
	}
	if err.Kind == wire.ErrorImport && err.Type == "ModuleNotFoundError" {
		return h // which has a hint, and a name that looks like one of a host that isn't found
	}
	return hintNetwork(v, h)
}

// hintNetwork adds the hint that explains most failures of a function that
// tries to reach something without being allowed to.
func hintNetwork(v hearth.Version, err *hearth.Error) *hearth.Error {
	if v.Config.Network == hearth.NetworkEgress || err.Code != hearth.CodeFunctionError {
		return err
	}
	text := strings.ToLower(err.Type + " " + err.Message + " " + err.Trace)
	for _, sign := range []string{
		"network is unreachable", "enetunreach", "eai_again", "getaddrinfo enotfound", "temporary failure in name resolution",
		"name or service not known", "getaddrinfo", "fetch failed", "no address associated with hostname",
		"socket.gaierror", "urlopen error", "ehostunreach", "no route to host",
	} {
		if strings.Contains(text, sign) {
			return err.WithHint("this function has no network; deploy it with --network egress")
		}
	}
	return err
}

// autopsy waits for the end of a sandbox whose link failed, and says why it
// came. One that doesn't come to an end by itself is brought there.
func (e *Engine) autopsy(i *instance) *hearth.Error {
	late := time.NewTimer(2 * deathGrace)
	defer late.Stop()
	select {
	case <-i.dead:
	case <-late.C:
		e.kill(i, nil)
		<-i.dead
	}
	return i.death(i.pool.v)
}

// death is why a call failed whose sandbox ended under it.
func (i *instance) death(v hearth.Version) *hearth.Error {
	if why := i.sentence.Load(); why != nil {
		return why
	}
	x := i.verdict.exit
	switch {
	case !i.verdict.exited && errors.Is(i.verdict.link, wire.ErrProtocol):
		err := hearth.Errorf(hearth.CodeFunctionCrashed, "the function's process sent what it must not: %w", i.verdict.link).
			WithHint("code that writes to unknown file descriptors can cause this")
		err.Message += " (" + strings.TrimPrefix(i.verdict.link.Error(), wire.ErrProtocol.Error()+": ") + ")"
		return err
	case !i.verdict.exited:
		return hearth.Errorf(hearth.CodeFunctionCrashed, "the function's process closed its connection: %w", i.verdict.link).
			WithHint("code that closes file descriptors it doesn't own can cause this")
	case x.OOM:
		return hearth.Errorf(hearth.CodeFunctionOOM, "the function used its %d MiB of memory and was killed", v.Config.Limits.MemoryMiB).
			WithHint("use less, or deploy it with a higher --memory, for example --memory %d", 2*v.Config.Limits.MemoryMiB)
	case x.Err != nil:
		return hearth.Errorf(hearth.CodePlatform, "the sandbox was lost: %w", x.Err)
	case x.Signal != "":
		return hearth.Errorf(hearth.CodeFunctionCrashed, "the function's process was ended by %s", x.Signal).
			WithHint("%s", signalHint(x.Signal))
	}
	return hearth.Errorf(hearth.CodeFunctionCrashed, "the function's process ended with exit status %d", x.Code).
		WithHint("return from the handler instead of ending the process; the log of the invocation may say more")
}

func signalHint(signal string) string {
	switch signal {
	case "SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT":
		return "a native extension or the interpreter failed; the log of the invocation may say more"
	case "SIGSYS":
		return "the code made a system call that sandboxes forbid"
	}
	return fmt.Sprintf("something sent it %s; the log of the invocation may say more", signal)
}

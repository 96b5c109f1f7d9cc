package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// assign gives i, which was adopted and not loaded, its version: limits and
// code by the driver, and the load frame, which the first Invoke or Ready takes
// along.
func (e *Engine) assign(ctx context.Context, i *instance) error {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.StartTimeout)
	defer cancel()
	p := i.pool
	dir, err := e.cfg.Code.Dir(p.v.CodeDigest)
	if err != nil {
		return fmt.Errorf("find the code of %s: %w", p.v.Ref(), err)
	}
	limits := p.v.Config.Limits
	if err := i.sb.Assign(ctx, sandbox.Assignment{Version: p.v, Limits: limits, CodeDir: dir}); err != nil {
		return fmt.Errorf("assign %s: %w", p.v.Ref(), err)
	}
	l := wire.Load{
		Function: p.v.Function, Version: p.v.Number, Handler: p.v.Handler, Code: hearth.CodeMount,
		Memory: limits.MemoryMiB, TimeoutMS: limits.Timeout.Std().Milliseconds(),
		Concurrency: p.concurrency(), Env: p.v.Config.Env,
	}
	var code []byte
	if !e.drivers[p.key.driver].known().CodeMount {
		if code, err = tarOf(dir); err != nil {
			return err
		}
	}
	return i.link.Load(l, code)
}

// tarOf packs a bundle for a sandbox that can't mount it.
func tarOf(dir string) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		return nil, fmt.Errorf("pack the code: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack the code: %w", err)
	}
	return b.Bytes(), nil
}

// ready waits until i has loaded its version. Whatever goes wrong ends i.
func (e *Engine) ready(ctx context.Context, i *instance) (wire.Ready, *hearth.Error) {
	p := i.pool
	r, err := i.link.Ready(ctx)
	if err == nil {
		e.mu.Lock()
		p.opened(i)
		e.mu.Unlock()
		return r, nil
	}
	var said *wire.Error
	var why *hearth.Error
	switch {
	case errors.As(err, &said):
		why = functionError(p.v, said)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), errLoad):
		why = overranImport(p.v, e.cfg.StartTimeout)
	case ctx.Err() != nil:
		why = cancelled(ctx)
	default:
		why = e.autopsy(i)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if why.Code.Fault() == hearth.FaultFunction {
		p.loadErr = why
		p.loads.failed(2, time.Second)
	}
	e.condemn(i, nil)
	return wire.Ready{}, why
}

// prepare makes a sandbox of p that has loaded its version and serves nobody
// yet.
func (e *Engine) prepare(ctx context.Context, p *pool) (prepared, *hearth.Error) {
	began := time.Now()
	i, err := e.obtain(ctx, p)
	if err != nil {
		return prepared{}, err
	}
	if err := e.assign(ctx, i); err != nil {
		e.kill(i, nil)
		return prepared{}, noSandbox(err)
	}
	lctx, cancel := context.WithTimeoutCause(ctx, e.cfg.StartTimeout, errLoad)
	defer cancel()
	r, err := e.ready(lctx, i)
	if err != nil {
		return prepared{}, err
	}
	var cpu hearth.Duration
	if u, err := i.sb.Usage(ctx); err == nil {
		cpu = u.CPU
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	i.cpu = max(i.cpu, cpu) // of the import, which no invocation has to answer for
	e.putBack(i)
	return prepared{i.start, time.Since(began), r}, nil
}

type prepared struct {
	start hearth.Start
	took  time.Duration
	ready wire.Ready
}

// obtain adopts a stem cell into p, or makes one.
func (e *Engine) obtain(ctx context.Context, p *pool) (*instance, *hearth.Error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, shuttingDown()
	}
	if i := e.takeStem(p); i != nil {
		e.mu.Unlock()
		return i, nil
	}
	if !e.roomFor(p) {
		e.mu.Unlock()
		return nil, hearth.Errorf(hearth.CodeUnavailable, "all sandboxes of this server are busy").
			WithHint("try again later, or raise the server's limits of sandboxes or memory")
	}
	e.count++
	e.wg.Add(1) // Stop waits, and cuts it short
	defer e.wg.Done()
	e.mu.Unlock()

	cctx, cancel := context.WithTimeout(ctx, e.cfg.StartTimeout)
	defer context.AfterFunc(e.ctx, cancel)()
	i, err := e.newInstance(cctx, p.key, p.rt, true)
	cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil {
		e.count--
		return nil, noSandbox(err)
	}
	e.born(i)
	if i.condemned {
		return nil, shuttingDown()
	}
	p.adopt(i)
	return i, nil
}

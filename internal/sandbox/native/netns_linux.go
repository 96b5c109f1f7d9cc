package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// netnsPool makes empty network namespaces ahead of need: making one costs
// most of a millisecond, joining one some microseconds. A namespace has its
// loopback interface down and nothing else; it is held by its file alone and
// is gone when the last file and the last process in it are.
type netnsPool struct {
	ready chan *os.File
	stop  chan struct{}
	done  sync.WaitGroup
	once  sync.Once
}

// newNetnsPool returns a pool that keeps size namespaces ready.
func newNetnsPool(size int) *netnsPool {
	p := &netnsPool{ready: make(chan *os.File, size), stop: make(chan struct{})}
	p.done.Go(p.fill)
	return p
}

// fill keeps the pool full. It ends when the pool is closed, and when a
// namespace can't be made: take then meets the error itself.
func (p *netnsPool) fill() {
	for {
		ns, err := newNetns()
		if err != nil {
			return
		}
		select {
		case p.ready <- ns:
		case <-p.stop:
			_ = ns.Close()
			return
		}
	}
}

// take returns a namespace that is the caller's to close. An empty pool makes
// one on the spot.
func (p *netnsPool) take(ctx context.Context) (*os.File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case <-p.stop:
		return nil, errors.New("take network namespace: the pool is closed")
	case ns := <-p.ready:
		return ns, nil
	default:
		return newNetns()
	}
}

// close gives up the namespaces that nobody took. It may be called again.
func (p *netnsPool) close() {
	p.once.Do(func() { close(p.stop) })
	p.done.Wait()
	for {
		select {
		case ns := <-p.ready:
			_ = ns.Close()
		default:
			return
		}
	}
}

// newNetns makes a network namespace. The thread that does is in it then, so it
// is never used for anything else: its goroutine ends locked to it.
func newNetns() (*os.File, error) {
	type result struct {
		ns  *os.File
		err error
	}
	c := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			c <- result{err: fmt.Errorf("make network namespace: %w", err)}
			return
		}
		ns, err := os.Open("/proc/thread-self/ns/net")
		c <- result{ns, err}
	}()
	r := <-c
	return r.ns, r.err
}

package native

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
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

// fill keeps the pool full until it is closed. Where namespaces can't be made it
// tries again later; take meets the error itself meanwhile.
func (p *netnsPool) fill() {
	for {
		ns, err := newNetns()
		if err != nil {
			select {
			case <-time.After(refillPause):
				continue
			case <-p.stop:
				return
			}
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

// refillPause lets what is exhausted recover.
const refillPause = time.Second

// newNetns makes a network namespace.
func newNetns() (*os.File, error) {
	var ns *os.File
	var err error
	onSpareThread(func() {
		if err = unix.Unshare(unix.CLONE_NEWNET); err != nil {
			err = fmt.Errorf("make network namespace: %w", err)
			if errors.Is(err, unix.ENOSPC) {
				err = hearth.Errorf(hearth.CodeUnavailable, "%w", err).WithHint("this host allows no more of them: see sysctl user.max_net_namespaces")
			}
			return
		}
		ns, err = os.Open("/proc/thread-self/ns/net")
	})
	return ns, err
}

// onSpareThread runs f on a thread that is thrown away afterwards, with
// whatever f did to it, and waits for it. It is never the process's first
// thread: that one can't be thrown away, and it is whose namespaces /proc/self
// shows.
func onSpareThread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its goroutine
		if unix.Gettid() == os.Getpid() {
			defer runtime.UnlockOSThread()
			onSpareThread(f) // elsewhere, because this goroutine holds the first thread
		} else {
			f()
		}
		close(done)
	}()
	<-done
}

package native

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// output carries what processes inside write to descriptors 1 and 2 to a sink.
type output struct {
	mu    sync.Mutex // held while the sink is called
	pipes [2]*outputPipe
	buf   []byte
	sink  func(fd int, p []byte)
	done  sync.WaitGroup
}

type outputPipe struct {
	fd  int // 1 or 2
	f   *os.File
	raw syscall.RawConn
}

// newOutput makes the pipes and returns the ends that go into the sandbox,
// which are the caller's to close.
func newOutput() (o *output, inside [2]*os.File, err error) {
	o = &output{}
	for i := range o.pipes {
		if o.pipes[i], inside[i], err = newOutputPipe(i + 1); err != nil {
			o.close()
			closeAll(inside[:])
			return nil, inside, err
		}
	}
	return o, inside, nil
}

// newOutputPipe makes a pipe whose reading end doesn't block and whose writing
// end does, as programs expect of their output.
func newOutputPipe(fd int) (*outputPipe, *os.File, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("make output pipe: %w", err)
	}
	err := unix.SetNonblock(fds[0], true)
	p := &outputPipe{fd: fd, f: os.NewFile(uintptr(fds[0]), "output")}
	w := os.NewFile(uintptr(fds[1]), "output")
	if err == nil {
		p.raw, err = p.f.SyscallConn()
	}
	if err != nil {
		closeAll([]*os.File{p.f, w})
		return nil, nil, fmt.Errorf("make output pipe: %w", err)
	}
	return p, w, nil
}

// start begins to deliver. It does nothing the second time.
func (o *output) start(sink func(fd int, p []byte)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sink != nil {
		return
	}
	o.sink, o.buf = sink, make([]byte, 8<<10)
	for _, p := range o.pipes {
		o.done.Go(func() { o.follow(p) })
	}
}

// follow delivers what comes through p until its end.
func (o *output) follow(p *outputPipe) {
	for {
		end := true // also if the file was closed meanwhile
		_ = p.raw.Read(func(fd uintptr) bool {
			o.mu.Lock()
			defer o.mu.Unlock()
			var n int
			n, end = o.take(p, int(fd), len(o.buf))
			return end || n > 0
		})
		if end {
			return
		}
	}
}

// take delivers up to limit bytes that are there now. end is true when no more
// can ever come. o.mu is held.
func (o *output) take(p *outputPipe, fd, limit int) (taken int, end bool) {
	for taken < limit {
		n, err := unix.Read(fd, o.buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return taken, false
		case err != nil || n <= 0:
			return taken, true
		}
		o.sink(p.fd, o.buf[:n])
		taken += n
	}
	return taken, false
}

// flush delivers what was written before the call. It reads no more than a
// pipe can hold, so that a flood can't keep it here.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sink == nil {
		return
	}
	for _, p := range o.pipes {
		_ = p.raw.Control(func(fd uintptr) {
			size, err := unix.FcntlInt(fd, unix.F_GETPIPE_SZ, 0)
			if err != nil {
				return
			}
			o.take(p, int(fd), size)
		})
	}
}

// rest returns the last words of a sandbox that never got a sink: up to limit
// bytes from descriptor 2, else from 1.
func (o *output) rest(limit int) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sink != nil {
		return ""
	}
	b := make([]byte, limit)
	for _, p := range []*outputPipe{o.pipes[1], o.pipes[0]} {
		n := 0
		_ = p.raw.Control(func(fd uintptr) { n, _ = unix.Read(int(fd), b) })
		if n > 0 {
			return string(b[:n])
		}
	}
	return ""
}

// close ends the delivery and waits for a call of the sink in progress.
func (o *output) close() {
	for _, p := range o.pipes {
		if p != nil {
			_ = p.f.Close()
		}
	}
	o.done.Wait()
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// process is the first process of a sandbox.
type process struct {
	pid   int      // in the server's pid namespace
	pidfd *os.File // becomes readable when the process and all in its pid namespace are dead
	raw   syscall.RawConn

	// status waits until the process is dead and tells how it ended.
	status func() (unix.WaitStatus, error)
}

// newProcess takes over pidfd.
func newProcess(pidfd int) (*process, error) {
	pid, err := pidOf(pidfd)
	if err != nil {
		_ = unix.Close(pidfd)
		return nil, err
	}
	if err := unix.SetNonblock(pidfd, true); err != nil { // makes NewFile hand it to the poller
		_ = unix.Close(pidfd)
		return nil, fmt.Errorf("watch process: %w", err)
	}
	f := os.NewFile(uintptr(pidfd), "pidfd")
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &process{pid: pid, pidfd: f, raw: raw}, nil
}

// pidOf returns the id of a process in our own pid namespace, -1 if it is dead.
// Who gave us the descriptor may live in another one.
func pidOf(pidfd int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd))
	if err != nil {
		return 0, fmt.Errorf("identify process: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			return strconv.Atoi(strings.TrimSpace(v))
		}
	}
	return 0, errors.New("identify process: the kernel doesn't tell")
}

// kill sends SIGKILL. The first process of a pid namespace takes all others
// with it.
func (p *process) kill() error {
	err := p.do(func(fd int) error { return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) })
	if errors.Is(err, unix.ESRCH) || errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// do calls f with the pidfd.
func (p *process) do(f func(fd int) error) error {
	var ferr error
	if err := p.raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

// ended waits until the process is dead.
func (p *process) ended() error {
	return p.raw.Read(func(fd uintptr) bool {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		return n > 0 || (err != nil && !errors.Is(err, unix.EINTR))
	})
}

// usage is what /proc knows of the process alone, for hosts where no cgroup
// counts for all of the sandbox.
func (p *process) usage() (hearth.Usage, error) {
	var u hearth.Usage
	f, err := procStat(p.pid)
	if err != nil {
		return u, sandbox.ErrGone
	}
	var ts unix.Timespec
	// Its CPU clock, as clock_getcpuclockid makes the number; the fields below
	// count in ticks.
	if err := unix.ClockGettime(int32(^p.pid<<3|2), &ts); err != nil {
		return u, sandbox.ErrGone
	}
	u.CPU = hearth.Duration(ts.Nano())
	const tick = time.Second / 100 // USER_HZ, which is 100 wherever Go runs
	for _, i := range []int{statCUTime, statCSTime} {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			return u, fmt.Errorf("read usage: %w", err)
		}
		u.CPU += hearth.Duration(time.Duration(n) * tick)
	}
	pages, err := strconv.ParseInt(f[statRSS], 10, 64)
	if err != nil {
		return u, fmt.Errorf("read usage: %w", err)
	}
	u.Memory = pages * int64(os.Getpagesize())
	u.MemoryPeak = max(u.Memory, keyedKiB(fmt.Sprintf("/proc/%d/status", p.pid), "VmHWM:"))
	u.PIDs, err = strconv.Atoi(f[statThreads])
	return u, err
}

// The fields of /proc/PID/stat behind the name, from 0.
const (
	statCUTime  = 13
	statCSTime  = 14
	statThreads = 17
	statStart   = 19
	statRSS     = 21
)

// procStat returns the fields of /proc/PID/stat behind the name, which may hold
// anything.
func procStat(pid int) ([]string, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(f) <= statRSS {
		return nil, fmt.Errorf("read state of process %d: unexpected format", pid)
	}
	return f, nil
}

// keyedKiB reads the number of a line "key number kB", in bytes, 0 if there is
// none.
func keyedKiB(file, key string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == key {
			if n, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return n << 10
			}
		}
	}
	return 0
}

func (p *process) close() { _ = p.pidfd.Close() }

// started is an init that waits to be told what to become.
type started struct {
	os    *os.Process
	setup *net.UnixConn
}

// startInit starts this program as an init in new namespaces. files are its
// descriptors 0 to 6, with a gap for its set-up socket; they stay the caller's.
func startInit(namespaces uintptr, files ...*os.File) (*started, error) {
	ours, theirs, err := socketPair(unix.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	if len(files) > fdSetup {
		files[fdSetup] = theirs
	} else {
		files = append(files, theirs)
	}
	s := &started{setup: ours}
	s.os, err = os.StartProcess("/proc/self/exe", []string{initName}, &os.ProcAttr{
		Dir: "/", Env: []string{"GOMAXPROCS=1"}, Files: files,
		Sys: &syscall.SysProcAttr{Cloneflags: namespaces, Setsid: true},
	})
	if err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("start init: %w", err)
	}
	return s, nil
}

// tell says what to become and waits until it has.
func (s *started) tell(ctx context.Context, spec initSpec) error {
	defer func() { _ = s.setup.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = s.setup.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	b, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	if _, err := s.setup.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("tell init: %w", orContext(ctx, err))
	}
	text, err := io.ReadAll(io.LimitReader(s.setup, 4096))
	if err != nil {
		return fmt.Errorf("wait for init: %w", orContext(ctx, err))
	}
	if len(text) > 0 {
		return errors.New(string(text))
	}
	return nil
}

// orContext returns the context's error if that is why err happened.
func orContext(ctx context.Context, err error) error {
	if cerr := context.Cause(ctx); cerr != nil {
		return cerr
	}
	return err
}

// socketPair returns our end of a socket pair as a connection and theirs as a
// file to be inherited.
func socketPair(kind int) (*net.UnixConn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "socket")
	f := os.NewFile(uintptr(fds[0]), "socket")
	defer f.Close() // FileConn has its own
	c, err := net.FileConn(f)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, fmt.Errorf("make socket pair: %w", err)
	}
	return c.(*net.UnixConn), theirs, nil
}

// refuseDescriptors keeps what is at the other end of c from sending open files
// along with its bytes. Nobody here would receive them, but the kernel closes
// them on the thread that reads, which a hostile file can make slow. Linux
// before 6.16 can't be told.
func refuseDescriptors(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	const soPassRights = 83
	var serr error
	if err := raw.Control(func(fd uintptr) { serr = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, soPassRights, 0) }); err != nil {
		return err
	}
	if serr != nil && !errors.Is(serr, unix.ENOPROTOOPT) {
		return fmt.Errorf("refuse descriptors: %w", serr)
	}
	return nil
}

// memfile returns a file in memory with content that nobody can change any more.
func memfile(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("make memory file: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(content)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SEAL|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_WRITE)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make memory file: %w", err), f.Close())
	}
	return f, nil
}

// tail keeps the last bytes written to it.
type tail struct{ b bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const most = 2048
	t.b.Write(p)
	if n := t.b.Len() - most; n > 0 {
		t.b.Next(n)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.TrimSpace(t.b.String()) }

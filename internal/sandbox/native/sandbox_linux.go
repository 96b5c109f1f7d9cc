package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// cell is one sandbox.
type cell struct {
	d    *Driver
	k    *kit
	id   string
	spec sandbox.Spec

	abort context.CancelFunc // ends begin early
	begun chan struct{}      // closed when begin has ended

	// Set by begin, constant afterwards.
	group   *cgroup
	proc    *process
	conn    *net.UnixConn // our end of the wire
	out     *output
	release []func() // what teardown gives back, last first

	mu       sync.Mutex
	dialled  bool
	assigned bool
	limits   hearth.Limits // that hold now

	done chan struct{} // closed when nothing runs inside
	exit sandbox.Exit  // valid then

	destroy sync.Once
	gone    chan struct{} // closed when nothing is left on the host
	goneErr error         // valid then
}

var (
	_ sandbox.Sandbox   = (*cell)(nil)
	_ sandbox.Outputter = (*cell)(nil)
	_ sandbox.Pauser    = (*cell)(nil)
)

func newCell(d *Driver, k *kit, spec sandbox.Spec, abort context.CancelFunc) *cell {
	return &cell{
		d: d, k: k, id: spec.ID, spec: spec, limits: spec.Limits, abort: abort,
		begun: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
	}
}

const (
	hostname = "sandbox"
	noFile   = 1024 // descriptors of a process

	startTimeout = 30 * time.Second // of a sandbox, where the caller has no shorter one
	deathTimeout = 5 * time.Second  // from SIGKILL to the end, before harder means
	lastWords    = 2048             // bytes of output in the error of a failed start
)

// begin makes the sandbox. What a failure leaves half made is for Destroy.
func (s *cell) begin(ctx context.Context) error {
	defer close(s.begun)
	slot, uid, err := s.d.slots.take()
	if err != nil {
		return err
	}
	s.undo(func() {
		if s.mayReuse() {
			s.d.slots.put(slot)
		}
	})
	if s.group, err = s.k.groups.create(s.id, s.spec.Limits); err != nil {
		return err
	}
	ns, resolv, err := s.network(ctx)
	if err != nil {
		return err
	}
	defer ns.Close()
	if err := s.launch(ctx, s.seal(uid), ns); err != nil {
		return s.explain(err)
	}
	if err := s.awaitHello(ctx); err != nil {
		return s.explain(err)
	}
	if resolv != "" {
		return s.proc.do(func(fd int) error { return s.k.mounts.show(fd, resolv, "/etc/resolv.conf", nil) })
	}
	return nil
}

// mayReuse reports whether nothing runs under the sandbox's user id. What can't be
// killed keeps it, and its note, for the next server.
func (s *cell) mayReuse() bool { return s.proc == nil || s.isDead() }

func (s *cell) undo(f func()) { s.release = append(s.release, f) }

func (s *cell) seal(uid int) cellSpec {
	return cellSpec{
		UID: uid, GID: uid, Setuid: s.d.slots.setuid,
		TmpMiB: s.spec.Limits.TmpMiB, Hostname: hostname, NoFile: noFile, Core: noCore,
		Rehearse: !s.spec.OnDemand, Mounts: true,
	}
}

// noCore is the limit that keeps core dumps away. With 0 the kernel would still
// hand them to a program on the host, where core_pattern names one; 1 is its
// word for not even that.
const noCore = 1

// network returns the namespace for the sandbox, which is the caller's to
// close, and for one with a way out the file that becomes its resolv.conf.
func (s *cell) network(ctx context.Context) (ns *os.File, resolv string, err error) {
	if ns, err = s.k.nets.take(ctx); err != nil || s.spec.Network != hearth.NetworkEgress {
		return ns, "", err
	}
	release, conf, err := s.k.egress.attach(ctx, s.id, ns)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("attach network: %w", err), ns.Close())
	}
	s.undo(release)
	if len(conf) == 0 {
		return ns, "", nil
	}
	resolv = filepath.Join(s.d.cfg.Dir, filesDir, s.id+".resolv.conf")
	s.undo(func() { _ = os.Remove(resolv) })
	if err := os.WriteFile(resolv, conf, 0o644); err != nil {
		return nil, "", errors.Join(fmt.Errorf("attach network: %w", err), ns.Close())
	}
	return ns, resolv, nil
}

// launch starts the first process, in its cgroup, on its way to the hello.
func (s *cell) launch(ctx context.Context, seal cellSpec, ns *os.File) error {
	var wire *os.File
	var err error
	if s.conn, wire, err = socketPair(unix.SOCK_STREAM); err != nil {
		return err
	}
	if err := refuseDescriptors(s.conn); err != nil {
		return errors.Join(err, wire.Close())
	}
	// The sandbox's ends must be closed here before its hello is awaited: their
	// end is how its death shows.
	defer wire.Close()
	var inside [2]*os.File
	if s.out, inside, err = newOutput(); err != nil {
		return err
	}
	defer closeAll(inside[:])
	if len(s.spec.Runtime.Zygote) > 0 {
		return s.fork(ctx, seal, wire, inside, ns)
	}
	return s.spawn(ctx, seal, wire, inside, ns)
}

// fork lets a zygote make the process, and once more if that zygote just ended.
func (s *cell) fork(ctx context.Context, seal cellSpec, wire *os.File, out [2]*os.File, ns *os.File) error {
	for again := true; ; again = false {
		z, err := s.d.zygote(ctx, s.spec.Runtime)
		if err != nil {
			return err
		}
		s.proc, err = z.spawn(ctx, s.id, seal, wire, out[0], out[1], ns)
		z.release()
		if err == nil {
			break
		}
		if !again || !errors.Is(err, errZygoteDied) {
			return fmt.Errorf("fork from zygote: %w", err)
		}
	}
	return s.adopt()
}

// spawn lets an init make the process.
func (s *cell) spawn(ctx context.Context, seal cellSpec, wire *os.File, out [2]*os.File, ns *os.File) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	init, err := startInit(unix.CLONE_NEWPID|unix.CLONE_NEWNS|unix.CLONE_NEWIPC|unix.CLONE_NEWUTS,
		null, out[0], out[1], wire, s.k.filter, nil, ns)
	if err != nil {
		return err
	}
	// Not the one that the os package waits with: ours doesn't block, and that
	// is a property they would share.
	pidfd, err := unix.PidfdOpen(init.os.Pid, 0)
	if err == nil {
		s.proc, err = newProcess(pidfd)
	}
	if err != nil {
		s.proc = nil
		_ = init.os.Kill()
		_, werr := init.os.Wait()
		return errors.Join(err, werr, init.setup.Close())
	}
	s.proc.status = func() (unix.WaitStatus, error) {
		st, err := init.os.Wait()
		if err != nil {
			return 0, err
		}
		return unix.WaitStatus(st.Sys().(syscall.WaitStatus)), nil
	}
	if err := s.adopt(); err != nil {
		_ = init.setup.Close()
		return err
	}
	root := s.d.rootSpec(s.spec.Runtime)
	root.UID, root.UIDs = seal.UID, 1
	return init.tell(ctx, initSpec{Root: root, Argv: s.spec.Runtime.Command, Env: s.spec.Runtime.Env, Cell: &seal})
}

// adopt puts the new process where it can be limited, found and mourned.
func (s *cell) adopt() error {
	go s.watch()
	if err := s.d.notePID(s.id, s.proc.pid); err != nil {
		return err
	}
	s.undo(func() {
		if s.mayReuse() {
			s.d.dropPID(s.id)
		}
	})
	if err := s.group.join(s.proc.pid); err != nil {
		return fmt.Errorf("join cgroup: %w", err)
	}
	return nil
}

// awaitHello returns when the shim has written something, without reading it:
// the hello is for who dials.
func (s *cell) awaitHello(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	raw, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	var n int
	var perr error
	err = raw.Read(func(fd uintptr) bool {
		var b [1]byte
		n, _, perr = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(perr, unix.EAGAIN) && !errors.Is(perr, unix.EINTR)
	})
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("wait for the sandbox: %w", ctx.Err())
	case err != nil || perr != nil:
		return fmt.Errorf("wait for the sandbox: %w", errors.Join(err, perr))
	case n == 0:
		return fmt.Errorf("wait for the sandbox: %w", io.EOF)
	}
	return nil
}

// explain adds to the error of a failed start what the sandbox said.
func (s *cell) explain(err error) error {
	if s.out == nil {
		return err
	}
	if said := strings.TrimSpace(s.out.rest(lastWords)); said != "" {
		return fmt.Errorf("%w: %s", err, said)
	}
	return err
}

// ID returns the id that the caller chose.
func (s *cell) ID() string { return s.id }

// Assign writes the final limits and mounts the code.
func (s *cell) Assign(ctx context.Context, a sandbox.Assignment) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isDead():
		return fmt.Errorf("assign: %w", sandbox.ErrGone)
	case s.assigned:
		return fmt.Errorf("assign: %w", sandbox.ErrAssigned)
	}
	s.assigned = true
	if l := a.Limits; l.MemoryMiB != s.limits.MemoryMiB || l.CPU != s.limits.CPU || l.PIDs != s.limits.PIDs {
		if err := s.group.set(l); err != nil {
			return fmt.Errorf("assign: %w", err)
		}
	}
	var resize func() error
	if mib := a.Limits.TmpMiB; mib != s.limits.TmpMiB {
		resize = func() error { return resizeTmp(mib) }
	}
	s.limits = a.Limits
	err := s.proc.do(func(fd int) error { return s.k.mounts.show(fd, a.CodeDir, hearth.CodeMount, resize) })
	if err != nil {
		return fmt.Errorf("assign: %w", err)
	}
	return nil
}

// Dial returns the one stream.
func (s *cell) Dial(context.Context) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.isDead():
		return nil, fmt.Errorf("dial: %w", sandbox.ErrGone)
	case s.dialled:
		return nil, fmt.Errorf("dial: %w", sandbox.ErrStreams)
	}
	s.dialled = true
	return s.conn, nil
}

// Usage reads the counters of the cgroup.
func (s *cell) Usage(context.Context) (hearth.Usage, error) {
	if s.isDead() {
		return hearth.Usage{}, fmt.Errorf("usage: %w", sandbox.ErrGone)
	}
	u, err := s.group.usage()
	if errors.Is(err, errNoCgroups) {
		return s.proc.usage()
	}
	return u, err
}

// Output begins to deliver what processes write.
func (s *cell) Output(sink func(fd int, p []byte)) { s.out.start(sink) }

// FlushOutput delivers what was written before the call.
func (s *cell) FlushOutput() { s.out.flush() }

// Pause stops all processes inside.
func (s *cell) Pause(ctx context.Context) error { return unsupported(s.group.freeze(ctx)) }

// Resume lets them go on.
func (s *cell) Resume(context.Context) error { return unsupported(s.group.thaw()) }

// unsupported marks what fails for lack of cgroups only.
func unsupported(err error) error {
	if errors.Is(err, errNoCgroups) {
		return fmt.Errorf("%w: %w", sandbox.ErrUnsupported, err)
	}
	return err
}

// Done is closed when nothing runs inside any more.
func (s *cell) Done() <-chan struct{} { return s.done }

// Exit says why, after Done.
func (s *cell) Exit() sandbox.Exit { return s.exit }

func (s *cell) isDead() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// watch waits for the end of the first process, which is the end of all.
func (s *cell) watch() {
	status, err := s.proc.status()
	s.out.flush() // its last words come before the news of its death
	s.exit = exitOf(status, err)
	s.exit.OOM = s.group.oomKilled()
	if u, err := s.group.usage(); err == nil {
		s.exit.Usage = u
	}
	close(s.done)
}

func exitOf(status unix.WaitStatus, err error) sandbox.Exit {
	switch {
	case err != nil:
		return sandbox.Exit{Code: -1, Err: err}
	case status.Signaled():
		return sandbox.Exit{Code: -1, Signal: unix.SignalName(status.Signal())}
	}
	return sandbox.Exit{Code: status.ExitStatus()}
}

// Destroy kills what runs inside and removes every trace. The work goes on if
// the context ends first.
func (s *cell) Destroy(ctx context.Context) error {
	s.destroy.Do(func() {
		s.abort()
		go s.teardown()
	})
	select {
	case <-s.gone:
		return s.goneErr
	case <-ctx.Done():
		return fmt.Errorf("destroy sandbox %s: %w", s.id, ctx.Err())
	}
}

func (s *cell) teardown() {
	<-s.begun // the driver can be closed while a sandbox is made
	var errs []error
	if s.proc != nil {
		errs = append(errs, s.proc.kill())
	}
	s.d.destroying <- struct{}{}
	defer func() { <-s.d.destroying }()
	if s.proc != nil {
		errs = append(errs, s.end())
	}
	if s.conn != nil {
		_ = s.conn.Close()
	}
	if s.out != nil {
		s.out.close()
	}
	if s.group != nil {
		errs = append(errs, s.group.remove())
	}
	for i := len(s.release) - 1; i >= 0; i-- {
		s.release[i]()
	}
	if s.proc != nil {
		s.proc.close()
	}
	s.d.forget(s)
	if err := errors.Join(errs...); err != nil {
		s.goneErr = fmt.Errorf("destroy sandbox %s: %w", s.id, err)
	}
	close(s.gone)
}

// end waits for the death of a process that was sent SIGKILL. A paused one
// only dies when it is resumed, which killing the cgroup does too.
func (s *cell) end() error {
	if err := ignoreNone(s.group.thaw()); err != nil {
		return err
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(deathTimeout):
	}
	err := s.group.kill()
	select {
	case <-s.done:
		return err
	case <-time.After(deathTimeout):
		return errors.Join(err, errors.New("its processes don't die"))
	}
}

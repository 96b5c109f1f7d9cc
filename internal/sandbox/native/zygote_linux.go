package native

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
)

// zygote is a running process that forks sealed cells of one runtime. Its side
// of the conversation is in zygote.md.
type zygote struct {
	id    string
	log   *slog.Logger
	proc  *os.Process
	conn  *net.UnixConn
	group *cgroup
	said  tail // its own output
	forks int  // counted by its lineage
	born  time.Time

	patience time.Duration // to wait for an answer before it is taken to hang

	wmu sync.Mutex // held for a write to conn

	mu      sync.Mutex
	pending map[string]chan spawnReply        // asked for, not answered
	alive   map[string]chan<- unix.WaitStatus // answered, not exited
	late    map[string]*time.Timer            // asked for, not answered, wanted or not
	users   int                               // callers between zygote and release
	retired bool                              // ends with its last cell
	silent  bool                              // says nothing more

	isReady chan struct{}
	dead    chan struct{} // closed when the process was reaped
	state   string        // how it ended, valid then
}

type spawnReply struct {
	proc *process
	err  error
}

// packet is what a zygote says.
type packet struct {
	Ready  bool   `json:"ready"`
	Op     string `json:"op"`
	ID     string `json:"id"`
	Status uint32 `json:"status"`
	Error  string `json:"error"`
}

// zygoteStart bounds how long a zygote may take to preload its modules.
const zygoteStart = time.Minute

// startZygote returns when the zygote is ready to fork.
func startZygote(ctx context.Context, d *Driver, k *kit, id string, rt hearth.Runtime) (_ *zygote, err error) {
	ctx, cancel := context.WithTimeout(ctx, zygoteStart)
	defer cancel()
	z := &zygote{
		id: id, log: d.log.With("zygote", id),
		pending: map[string]chan spawnReply{}, alive: map[string]chan<- unix.WaitStatus{}, late: map[string]*time.Timer{},
		born: time.Now(), patience: d.patience,
		isReady: make(chan struct{}), dead: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			z.end()
			d.dropPID(id)
			if said := z.said.String(); said != "" {
				err = fmt.Errorf("%w: %s", err, said)
			}
			err = fmt.Errorf("start zygote of %s: %w", rt.Name, err)
		}
	}()
	if z.group, err = k.groups.create(id, zygoteLimits); err != nil {
		return nil, err
	}
	init, err := z.launch(k)
	if err != nil {
		return nil, err
	}
	if err := z.track(d, init); err != nil {
		_ = init.setup.Close()
		return nil, err
	}
	if err := init.tell(ctx, initSpec{Root: d.rootSpec(rt), Argv: rt.Zygote, Env: rt.Env}); err != nil {
		return nil, err
	}
	select {
	case <-z.isReady:
		return z, nil
	case <-z.dead:
		return nil, fmt.Errorf("it ended before it was ready (%s)", z.state)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// zygoteLimits only keep a zygote from taking the host down: what its forks use
// before they are in their own cgroup counts as the zygote's.
var zygoteLimits = hearth.Limits{MemoryMiB: 4096, CPU: hearth.MaxCPU, PIDs: 4096}

// launch starts the init and the goroutines that listen to it.
func (z *zygote) launch(k *kit) (*started, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	filter, err := reopen(k.filter)
	if err != nil {
		return nil, err
	}
	defer filter.Close()
	out, said, err := newOutputPipe(1)
	if err != nil {
		return nil, err
	}
	defer said.Close()
	conn, control, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		_ = out.f.Close()
		return nil, err
	}
	defer control.Close()
	init, err := startInit(zygoteNamespaces(), null, said, said, control, filter)
	if err != nil {
		return nil, errors.Join(err, out.f.Close(), conn.Close())
	}
	z.proc, z.conn = init.os, conn
	var output sync.WaitGroup
	output.Go(func() { z.relay(out.f) })
	go z.listen()
	go func() {
		if st, err := z.proc.Wait(); err == nil {
			z.state = st.String()
		}
		output.Wait() // its last words belong into the error
		close(z.dead)
	}()
	return init, nil
}

// zygoteNamespaces are the namespaces that a zygote gets of its own. In a user
// namespace it needs a pid namespace too, because it may return to no other
// between forks; its death is then that of its cells.
func zygoteNamespaces() uintptr {
	const ns = unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWNET
	if rootless() {
		return ns | unix.CLONE_NEWPID
	}
	return ns
}

// reopen gives a memory file an own read position.
func reopen(f *os.File) (*os.File, error) {
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// track sees to it that the zygote can be found if this server is killed.
func (z *zygote) track(d *Driver, init *started) error {
	if err := d.notePID(z.id, init.os.Pid); err != nil {
		return err
	}
	if err := z.group.join(init.os.Pid); err != nil {
		return fmt.Errorf("join cgroup: %w", err)
	}
	return nil
}

// relay logs what the zygote writes. Cells have their own output.
func (z *zygote) relay(f *os.File) {
	defer f.Close()
	for s := bufio.NewScanner(io.TeeReader(f, &z.said)); s.Scan(); {
		z.log.Warn("zygote: " + s.Text())
	}
}

// listen reads packets until the zygote ends.
func (z *zygote) listen() {
	defer z.orphan()
	buf, oob := make([]byte, 8<<10), make([]byte, unix.CmsgSpace(4*4))
	for {
		n, oobn, _, _, err := z.conn.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			return
		}
		fds := received(oob[:oobn])
		var p packet
		if err := json.Unmarshal(buf[:n], &p); err != nil {
			z.log.Error("zygote sent what is no packet", "error", err)
			closeFDs(fds)
			_ = z.proc.Kill()
			return
		}
		z.handle(p, fds)
	}
}

// received returns the descriptors that came with a packet.
func received(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var all []int
	for _, m := range msgs {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

func closeFDs(fds []int) {
	for _, fd := range fds {
		_ = unix.Close(fd)
	}
}

func (z *zygote) handle(p packet, fds []int) {
	switch {
	case p.Ready:
		close(z.isReady)
	case p.Op == "spawned" && len(fds) == 1:
		z.spawned(p, fds[0])
		return
	case p.Op == "spawned":
		// Lost on the way because this process has too many open. Nobody holds
		// the sandbox now: it ends with its wire.
		z.answer(p.ID, spawnReply{err: errors.New("the descriptor of the process didn't arrive: too many open files")})
	case p.Op == "failed":
		z.answer(p.ID, spawnReply{err: errors.New(p.Error)})
	case p.Op == "exited":
		z.exited(p)
	default:
		z.log.Warn("zygote sent an unknown packet", "op", p.Op)
	}
	closeFDs(fds)
}

func (z *zygote) spawned(p packet, pidfd int) {
	proc, err := newProcess(pidfd)
	if err == nil {
		status := make(chan unix.WaitStatus, 1)
		proc.status = func() (unix.WaitStatus, error) { return z.wait(proc, status) }
		z.mu.Lock()
		z.alive[p.ID] = status
		z.mu.Unlock()
	}
	if !z.answer(p.ID, spawnReply{proc, err}) && err == nil {
		_ = proc.kill() // nobody waits for it any more
		proc.close()
	}
}

// answer hands a reply to who asked and reports whether there was somebody.
func (z *zygote) answer(id string, r spawnReply) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.onTime(id)
	ch, ok := z.pending[id]
	if ok {
		delete(z.pending, id)
		ch <- r
	}
	return ok
}

// expect kills the zygote if it doesn't answer in time, so that the next caller
// gets another one. z.mu is held.
func (z *zygote) expect(id string) {
	z.late[id] = time.AfterFunc(z.patience, func() {
		z.log.Error("a zygote doesn't answer and is killed", "after", z.patience)
		_ = z.proc.Kill()
	})
}

// onTime takes back what expect threatened. z.mu is held.
func (z *zygote) onTime(id string) {
	if t := z.late[id]; t != nil {
		t.Stop()
		delete(z.late, id)
	}
}

func (z *zygote) exited(p packet) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if ch, ok := z.alive[p.ID]; ok {
		ch <- unix.WaitStatus(p.Status)
		delete(z.alive, p.ID)
	}
	z.endIfIdle()
}

// orphan tells everybody who waits that this zygote says nothing more.
func (z *zygote) orphan() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent = true
	_ = z.conn.Close()
	for id := range z.late {
		z.onTime(id)
	}
	for id, ch := range z.pending {
		ch <- spawnReply{err: errZygoteDied}
		delete(z.pending, id)
	}
	for id, ch := range z.alive {
		close(ch)
		delete(z.alive, id)
	}
}

var errZygoteDied = errors.New("the zygote ended")

// wait returns how a cell ended. The zygote knows; if it is gone itself, the
// cell's death can still be seen.
func (z *zygote) wait(p *process, status <-chan unix.WaitStatus) (unix.WaitStatus, error) {
	s, ok := <-status
	if ok {
		return s, nil
	}
	if err := p.ended(); err != nil {
		return 0, err
	}
	return 0, errZygoteDied
}

// request is what a zygote is asked.
type request struct {
	Op string `json:"op"`
	ID string `json:"id"`
	cellSpec
}

// spawn forks a cell. The files stay the caller's.
func (z *zygote) spawn(ctx context.Context, id string, spec cellSpec, wire, stdout, stderr, netns *os.File) (*process, error) {
	b, err := json.Marshal(request{"spawn", id, spec})
	if err != nil {
		return nil, err
	}
	reply := make(chan spawnReply, 1)
	z.mu.Lock()
	if z.silent {
		z.mu.Unlock()
		return nil, errZygoteDied
	}
	z.pending[id] = reply
	z.expect(id)
	z.mu.Unlock()
	rights := unix.UnixRights(int(wire.Fd()), int(stdout.Fd()), int(stderr.Fd()), int(netns.Fd()))
	if err := z.send(b, rights); err != nil {
		z.forget(id)
		z.giveUp()
		return nil, fmt.Errorf("ask zygote: %w", errors.Join(errZygoteDied, err))
	}
	select {
	case r := <-reply:
		return r.proc, r.err
	case <-ctx.Done():
	}
	if z.forget(id) {
		return nil, ctx.Err()
	}
	r := <-reply // it came at the same moment
	return r.proc, r.err
}

func (z *zygote) send(b, rights []byte) error {
	z.wmu.Lock()
	defer z.wmu.Unlock()
	_, _, err := z.conn.WriteMsgUnix(b, rights, nil)
	return err
}

// forget takes back a question and reports whether it was still open.
func (z *zygote) forget(id string) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	_, ok := z.pending[id]
	delete(z.pending, id)
	return ok
}

func (z *zygote) hold() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.users++
}

func (z *zygote) release() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.users--
	z.endIfIdle()
}

// retire lets the zygote end with the last of its cells.
func (z *zygote) retire() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.retired = true
	z.endIfIdle()
}

// endIfIdle ends the control socket, and with it the zygote. Our reading half
// stays open for what the zygote still says. z.mu is held.
func (z *zygote) endIfIdle() {
	if z.retired && z.users == 0 && len(z.alive) == 0 {
		_ = z.conn.CloseWrite()
	}
}

// giveUp has nobody ask it any more.
func (z *zygote) giveUp() {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.silent = true
}

// canFork reports whether it makes sense to ask it.
func (z *zygote) canFork() bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return !z.silent
}

func (z *zygote) isRetired() bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.retired
}

// end stops the zygote now and removes its traces. Its cells live on.
func (z *zygote) end() {
	if z.conn != nil {
		_ = z.conn.CloseWrite()
		select {
		case <-z.dead:
		case <-time.After(time.Second):
			_ = z.proc.Kill()
			<-z.dead
		}
	}
	z.cleanUp()
}

func (z *zygote) cleanUp() {
	if z.group == nil {
		return
	}
	if err := z.group.remove(); err != nil {
		z.log.Warn("can't remove a zygote's cgroup", "error", err)
	}
}

// lineage is the zygotes of one runtime, one after the other.
type lineage struct {
	rt    hearth.Runtime
	now   *zygote // forks; nil before the first
	birth *birth  // of the next one, nil if none is on the way
	count int
	all   map[*zygote]bool // not cleaned up
}

// birth is a zygote that is being started.
type birth struct {
	id   string
	done chan struct{}
	err  error // valid when done
}

// zygote returns a living zygote of the runtime, starting one if needed, that
// stays until the caller's release. A zygote that has forked enough is replaced behind the scenes: the old one
// serves until the new one is ready.
func (d *Driver) zygote(ctx context.Context, rt hearth.Runtime) (*zygote, error) {
	for {
		z, b, err := d.nextZygote(rt)
		if z != nil || err != nil {
			return z, err
		}
		select {
		case <-b.done:
			if b.err != nil {
				return nil, b.err
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the zygote of %s: %w", rt.Name, ctx.Err())
		}
	}
}

func (d *Driver) nextZygote(rt hearth.Runtime) (*zygote, *birth, error) {
	k, err := d.ready()
	if err != nil {
		return nil, nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, errClosed
	}
	key := strings.Join([]string{rt.Name, rt.Interpreter, rt.ShimDir}, "\x00")
	l := d.lines[key]
	if l == nil {
		l = &lineage{rt: rt, all: map[*zygote]bool{}}
		d.lines[key] = l
	}
	if l.now != nil && !l.now.canFork() {
		l.now = nil
	}
	if (l.now == nil || d.isOld(l.now)) && l.birth == nil {
		l.count++
		l.birth = &birth{id: fmt.Sprintf("zygote-%s-%d-%d", rt.Name, os.Getpid(), l.count), done: make(chan struct{})}
		d.births.Add(1)
		go d.bear(k, l, l.birth)
	}
	if l.now == nil {
		return nil, l.birth, nil
	}
	l.now.forks++
	l.now.hold()
	return l.now, nil, nil
}

// isOld reports whether too much has been forked from z, or for too long.
func (d *Driver) isOld(z *zygote) bool {
	return z.forks >= d.cfg.ZygoteCells || time.Since(z.born) >= d.cfg.ZygoteAge
}

// bear starts the next zygote of l and lets it take over.
func (d *Driver) bear(k *kit, l *lineage, b *birth) {
	defer d.births.Done()
	z, err := startZygote(d.life, d, k, b.id, l.rt)
	d.mu.Lock()
	if err == nil && d.closed {
		// Nobody would end it: Close may have looked already.
		d.mu.Unlock()
		z.end()
		d.dropPID(z.id)
		d.mu.Lock()
		err = errClosed
	}
	l.birth = nil
	b.err = err
	old := l.now
	if err == nil {
		l.now = z
		l.all[z] = true
		d.births.Add(1)
		go d.bury(l, z)
	}
	d.mu.Unlock()
	close(b.done)
	if err == nil && old != nil {
		old.retire()
	}
	if err != nil && old != nil && d.life.Err() == nil {
		d.log.Error("can't replace a zygote; the old one goes on", "error", err)
	}
}

// bury waits for the end of z and removes what it leaves.
func (d *Driver) bury(l *lineage, z *zygote) {
	defer d.births.Done()
	<-z.dead
	d.mu.Lock()
	expected := d.closed || z.isRetired()
	delete(l.all, z)
	d.mu.Unlock()
	if !expected {
		z.log.Error("a zygote ended; the next sandbox starts another")
	}
	z.cleanUp()
	d.dropPID(z.id)
}

// endZygotes ends all zygotes and waits for them. d is closed.
func (d *Driver) endZygotes() {
	d.stop()
	d.mu.Lock()
	var all []*zygote
	for _, l := range d.lines {
		for z := range l.all {
			all = append(all, z)
		}
	}
	d.mu.Unlock()
	for _, z := range all {
		z.end()
	}
	d.births.Wait()
}

package native

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"hearth/internal/sandbox"
)

// mountWorker changes the mounts of running sandboxes from outside. It is one
// thread for ever, because a thread has to give up sharing its file system
// view with the rest of the process before it may visit another mount
// namespace.
type mountWorker struct {
	jobs chan mountJob
	quit chan struct{}
}

type mountJob struct {
	pidfd int // of a process in the mount namespace to visit
	do    func() error
	err   chan error
}

func newMountWorker() (*mountWorker, error) {
	w := &mountWorker{jobs: make(chan mountJob), quit: make(chan struct{})}
	started := make(chan error)
	go onSpareThread(func() { w.run(started) })
	return w, <-started
}

func (w *mountWorker) close() { close(w.quit) }

func (w *mountWorker) run(started chan<- error) {
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		started <- fmt.Errorf("start mount worker: %w", err)
		return
	}
	home, err := os.Open("/proc/thread-self/ns/mnt")
	started <- err
	if err != nil {
		return
	}
	defer home.Close()
	for {
		select {
		case <-w.quit:
			return
		case j := <-w.jobs:
			j.err <- visit(j)
			// Only now, off the caller's path: while the thread stays, the
			// sandbox's mounts can't go away.
			if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNS); err != nil {
				panic("mount worker can't return to the host's mount namespace: " + err.Error())
			}
		}
	}
}

func visit(j mountJob) error {
	if err := unix.Setns(j.pidfd, unix.CLONE_NEWNS); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return sandbox.ErrGone
		}
		return fmt.Errorf("enter mount namespace: %w", err)
	}
	return j.do()
}

// in runs do on a thread that is in the mount namespace of a process.
func (w *mountWorker) in(pidfd int, do func() error) error {
	j := mountJob{pidfd, do, make(chan error, 1)}
	select {
	case w.jobs <- j:
		return <-j.err
	case <-w.quit:
		return errClosed
	}
}

// show mounts the host's file or folder from, read-only, at to inside. before,
// if not nil, runs first, inside.
func (w *mountWorker) show(pidfd int, from, to string, before func() error) error {
	fd, err := detached(from, 0, unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return w.in(pidfd, func() error {
		if before != nil {
			if err := before(); err != nil {
				return err
			}
		}
		if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return fmt.Errorf("mount %s: %w", to, err)
		}
		return nil
	})
}

// resizeTmp gives the sandbox's temporary folders another size.
func resizeTmp(mib int) error {
	const flags = unix.MS_REMOUNT | unix.MS_NOSUID | unix.MS_NODEV
	for dir, kib := range tmpSizes(mib) {
		if err := unix.Mount("tmpfs", dir, "tmpfs", flags, tmpLimits(kib)); err != nil {
			return fmt.Errorf("resize %s: %w", dir, err)
		}
	}
	return nil
}

// tmpSizes are the folders that a sandbox can write to and how much, in KiB.
func tmpSizes(mib int) map[string]int {
	return map[string]int{"/tmp": mib << 10, "/dev/shm": mib << 8}
}

// tmpLimits are the mount options for a size in KiB. There can be as many files
// as pages: empty ones take no space, but memory of the kernel.
func tmpLimits(kib int) string { return fmt.Sprintf("size=%dk,nr_inodes=%d", kib, kib/4) }

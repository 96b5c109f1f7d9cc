// Command attacker makes the system calls that a language can't, and prints
// what became of each: "ok" or the name of its error. A function brings it along
// and starts it. With an argument it leaves out what makes processes or moves
// them, which a program in this language doesn't survive where it works.
//
//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	// What succeeds must end with this thread, when it is tried outside.
	runtime.LockOSThread()
	results := map[string]string{}
	try := func(name string, call func() error) {
		results[name] = "ok"
		if err := call(); err != nil {
			results[name] = fmt.Sprint(err)
			if errno, ok := err.(unix.Errno); ok {
				results[name] = unix.ErrnoName(errno)
			}
		}
	}
	// The control: what must work, or the rest proves nothing.
	try("socket UNIX", socket(unix.AF_UNIX, unix.SOCK_STREAM))
	for name, family := range map[string]int{
		"VSOCK": unix.AF_VSOCK, "NETLINK": unix.AF_NETLINK, "PACKET": unix.AF_PACKET, "ALG": unix.AF_ALG,
		"BLUETOOTH": unix.AF_BLUETOOTH, "CAN": unix.AF_CAN, "TIPC": unix.AF_TIPC, "XDP": unix.AF_XDP,
	} {
		try("socket "+name, socket(family, unix.SOCK_RAW))
	}
	inside := len(os.Args) == 1
	for name, flag := range map[string]int{
		"NEWUTS": unix.CLONE_NEWUTS, "NEWIPC": unix.CLONE_NEWIPC, "NEWNET": unix.CLONE_NEWNET, "NEWNS": unix.CLONE_NEWNS | unix.CLONE_FS,
		"NEWPID": unix.CLONE_NEWPID, "NEWCGROUP": unix.CLONE_NEWCGROUP, "NEWUSER": unix.CLONE_NEWUSER, "NEWTIME": unix.CLONE_NEWTIME,
	} {
		if !inside && name != "NEWUTS" && name != "NEWIPC" {
			continue
		}
		try("unshare "+name, func() error { return unix.Unshare(flag) })
		if !inside {
			continue
		}
		if name != "NEWTIME" { // that bit of clone is part of the exit signal
			try("clone "+name, func() error { return clone(flag) })
		}
		try("clone3 "+name, func() error { return clone3(flag) })
	}
	try("mount", func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") })
	if !inside {
		_ = json.NewEncoder(os.Stdout).Encode(results)
		return
	}
	try("umount", func() error { return unix.Unmount("/code", unix.MNT_DETACH) })
	try("chroot", func() error { return unix.Chroot("/tmp") })
	try("pivot_root", func() error { return unix.PivotRoot("/tmp", "/tmp") })
	try("open_tree", func() error { _, err := unix.OpenTree(-1, "/", 1); return err })
	try("mknod", func() error { return unix.Mknod("/tmp/null", unix.S_IFCHR|0o666, 1<<8|3) })
	try("setuid", func() error { return call(unix.SYS_SETUID, 0, 0, 0) })
	try("ptrace", func() error { return call(unix.SYS_PTRACE, unix.PTRACE_ATTACH, 1, 0) })
	try("process_vm_readv", func() error { return call(unix.SYS_PROCESS_VM_READV, 1, 0, 0) })
	try("bpf", func() error { return call(unix.SYS_BPF, 0, 0, 0) })
	try("io_uring_setup", func() error { return call(unix.SYS_IO_URING_SETUP, 1, 0, 0) })
	try("userfaultfd", func() error { return call(unix.SYS_USERFAULTFD, 1, 0, 0) })
	try("perf_event_open", func() error { return call(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0) })
	try("keyctl", func() error { return call(unix.SYS_KEYCTL, 0, ^uintptr(0)-2, 1) })
	try("kexec_load", func() error { return call(unix.SYS_KEXEC_LOAD, 0, 0, 0) })
	try("setns", func() error { return call(unix.SYS_SETNS, 0, 0, 0) })
	_ = json.NewEncoder(os.Stdout).Encode(results)
}

func call(number, a, b, c uintptr) error {
	if _, _, errno := unix.RawSyscall(number, a, b, c); errno != 0 {
		return errno
	}
	return nil
}

func socket(family, kind int) func() error {
	return func() error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
}

// clone makes a process in a new namespace, which ends at once.
func clone(flag int) error {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(flag)|uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	return reap(pid, errno)
}

func clone3(flag int) error {
	args := struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }{
		flags: uint64(flag), exitSignal: uint64(unix.SIGCHLD),
	}
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	return reap(pid, errno)
}

// reap ends the child, and waits for it in the parent.
func reap(pid uintptr, errno unix.Errno) error {
	if errno != 0 {
		return errno
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return err
}

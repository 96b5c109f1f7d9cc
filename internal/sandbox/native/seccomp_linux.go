package native

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The filter is an allowlist. What it doesn't name fails in one of two ways:
// EPERM for calls that were known when it was written, so that a program says
// "not permitted", and ENOSYS for calls that are newer than it, for which every
// C library has an older way and takes it only on ENOSYS. clone3 and io_uring get ENOSYS
// for the same reason: clone3 keeps its flags in memory, where a filter can't
// see them, and io_uring makes calls that no filter sees. So does inotify: it tells
// who opens the runtime's files, which all sandboxes and the host share.
//
// The program is a binary search over ranges of numbers, then the checks of
// arguments where a call has some. The kernel (since 5.11) remembers which
// numbers are always allowed and doesn't run the program for those at all, so
// the order of the list doesn't matter.
//
// The assembler is our own, because that of the library whose table of calls
// we use goes on comparing numbers after it has loaded an argument: with it,
// socket(AF_VSOCK) passes as sendfile, whose number is 40 too.

// seccompFilter returns the filter of the sandboxes on this machine, as an
// array of struct sock_filter in host byte order.
func seccompFilter() ([]byte, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	prog, err := assembleFilter(info)
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	raw, err := bpf.Assemble(prog)
	if err != nil {
		return nil, fmt.Errorf("assemble seccomp filter: %w", err)
	}
	var b bytes.Buffer
	for _, in := range raw {
		b.Write(binary.NativeEndian.AppendUint16(nil, in.Op))
		b.Write([]byte{in.Jt, in.Jf})
		b.Write(binary.NativeEndian.AppendUint32(nil, in.K))
	}
	return b.Bytes(), nil
}

// verdict is what becomes of a call: the return value of the filter.
type verdict uint32

const (
	allow       verdict = unix.SECCOMP_RET_ALLOW
	killProcess verdict = unix.SECCOMP_RET_KILL_PROCESS
	pretend     verdict = unix.SECCOMP_RET_ERRNO // success, without doing anything
)

// fail is the verdict that makes a call fail with an error number.
func fail(e unix.Errno) verdict { return verdict(unix.SECCOMP_RET_ERRNO | uint32(e)) }

// Offsets in struct seccomp_data. Both architectures are little-endian.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
)

// x32Bit marks the calls of the x32 ABI, which share the architecture id.
const x32Bit = 0x4000_0000

// assembleFilter writes the program for an architecture.
func assembleFilter(info *arch.Info) ([]bpf.Instruction, error) {
	if info != arch.X86_64 && info != arch.AARCH64 {
		return nil, fmt.Errorf("no list of system calls for %s", info.Name)
	}
	head := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(info.ID), SkipTrue: 1},
		ret(killProcess),
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
	}
	if info == arch.X86_64 {
		head = append(head,
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: x32Bit, SkipFalse: 2},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: math.MaxUint32, SkipTrue: 1}, // syscall(-1), how some programs ask for ENOSYS
			ret(killProcess))
	}
	return append(head, search(ranges(info))...), nil
}

// span is a range of call numbers, up to the next span's first, that share
// their code.
type span struct {
	first uint32
	code  []bpf.Instruction
}

// ranges sorts the calls of an architecture into spans that cover all numbers.
func ranges(info *arch.Info) []span {
	top := 0
	for n := range info.SyscallNumbers {
		top = max(top, n)
	}
	allowed := map[string]bool{}
	for _, name := range allowedCalls() {
		allowed[name] = true
	}
	checked := checkedCalls()
	var spans []span
	last := verdict(0)
	for n := 0; n <= top+1; n++ {
		name, known := info.SyscallNumbers[n]
		v := fail(unix.EPERM)
		switch check := checked[name]; {
		case known && check != nil:
			spans = append(spans, span{uint32(n), check})
			last = 0
			continue
		case !known || hidden(name):
			v = fail(unix.ENOSYS)
		case allowed[name]:
			v = allow
		}
		if v != last {
			spans = append(spans, span{uint32(n), []bpf.Instruction{ret(v)}})
			last = v
		}
	}
	return spans
}

// search writes the binary search for the span that the number is in.
func search(spans []span) []bpf.Instruction {
	if len(spans) == 1 {
		return spans[0].code
	}
	mid := len(spans) / 2
	left, right := search(spans[:mid]), search(spans[mid:])
	code := []bpf.Instruction{bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: spans[mid].first, SkipTrue: uint8(min(len(left), math.MaxUint8))}}
	if len(left) > math.MaxUint8 { // too far for a conditional jump
		code = []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpGreaterOrEqual, Val: spans[mid].first, SkipFalse: 1},
			bpf.Jump{Skip: uint32(len(left))},
		}
	}
	return append(append(code, left...), right...)
}

func ret(v verdict) bpf.Instruction { return bpf.RetConstant{Val: uint32(v)} }

// arg loads the lower half of an argument. The kernel takes no more of those
// that are checked here: they are ints, or it cuts them itself.
func arg(n uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offArgs + 8*n, Size: 4} }

// upper loads the upper half.
func upper(n uint32) bpf.Instruction { return bpf.LoadAbsolute{Off: offArgs + 8*n + 4, Size: 4} }

// oneOf gives the verdict yes if the loaded value is among values, else no.
func oneOf(yes, no verdict, values ...uint32) []bpf.Instruction {
	var code []bpf.Instruction
	for i, v := range values {
		code = append(code, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(values) - i)})
	}
	return append(code, ret(no), ret(yes))
}

// require ends with the verdict no unless the loaded value is among values.
func require(no verdict, values ...uint32) []bpf.Instruction {
	code := oneOf(allow, no, values...)
	return code[:len(code)-1]
}

// checkedCalls returns the calls that are allowed with some arguments only. The
// code of each ends in a verdict on every path.
func checkedCalls() map[string][]bpf.Instruction {
	device := func(modeArg uint32) []bpf.Instruction {
		return join(
			[]bpf.Instruction{arg(modeArg), bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: unix.S_IFMT}},
			oneOf(allow, fail(unix.EPERM), 0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK))
	}
	return map[string][]bpf.Instruction{
		"clone": {
			arg(0),
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: newNamespaces, SkipFalse: 1},
			ret(fail(unix.EPERM)),
			ret(allow),
		},
		"socket":     socketCheck(),
		"socketpair": join([]bpf.Instruction{arg(0)}, oneOf(allow, fail(unix.EAFNOSUPPORT), unix.AF_UNIX)),
		"setsockopt": setsockoptCheck(),
		"ioctl":      join([]bpf.Instruction{arg(1)}, require(fail(unix.ENOTTY), allowedIoctls()...), []bpf.Instruction{ret(allow)}),
		"prctl":      join([]bpf.Instruction{arg(0)}, require(fail(unix.EPERM), allowedPrctls()...), []bpf.Instruction{ret(allow)}),
		// Asking, and what a program gets anyway. The others weaken address space randomisation.
		"personality": join([]bpf.Instruction{arg(0)}, oneOf(allow, fail(unix.EPERM), 0, math.MaxUint32)),
		"mknod":       device(1),
		"mknodat":     device(2),

		// Leases and notifications would tell when others open a file that all
		// sandboxes share.
		"fcntl": join([]bpf.Instruction{arg(1)}, oneOf(fail(unix.EPERM), allow, unix.F_SETLEASE, unix.F_NOTIFY)),
		// As would knowing what is in the page cache, without waiting for it.
		"preadv2": forbidBits(5, unix.RWF_NOWAIT),

		// The limit on core dumps must stay what the seal made it.
		"setrlimit": join([]bpf.Instruction{arg(0)}, oneOf(fail(unix.EPERM), allow, unix.RLIMIT_CORE)),
		"prlimit64": {
			arg(1),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.RLIMIT_CORE, SkipFalse: 4},
			arg(2), // the new limit; a null pointer only asks
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: 3},
			upper(2),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipFalse: 1},
			ret(allow),
			ret(fail(unix.EPERM)),
		},

		// Out-of-band data on unix sockets is used by nobody but exploits.
		"sendto": forbidBits(3, unix.MSG_OOB), "sendmsg": forbidBits(2, unix.MSG_OOB), "sendmmsg": forbidBits(3, unix.MSG_OOB),
		"recvfrom": forbidBits(3, unix.MSG_OOB), "recvmsg": forbidBits(2, unix.MSG_OOB), "recvmmsg": forbidBits(3, unix.MSG_OOB),

		// All that a sandbox can write to is memory, so there is nothing to
		// bring to a disk: these would only make the host write and wait for its own data.
		"sync": {ret(pretend)}, "syncfs": {ret(pretend)}, "fsync": {ret(pretend)}, "fdatasync": {ret(pretend)}, "sync_file_range": {ret(pretend)},
		"msync": {
			arg(2),
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.MS_SYNC, SkipFalse: 1},
			ret(pretend),
			ret(allow), // asks whether there is memory, which some programs do
		},
		// Advice, and a way to throw others' files out of the cache.
		"fadvise64": {ret(pretend)},
	}
}

// forbidBits refuses calls that have one of the bits set in an argument.
func forbidBits(n, bits uint32) []bpf.Instruction {
	return []bpf.Instruction{
		arg(n),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipFalse: 1},
		ret(fail(unix.EOPNOTSUPP)),
		ret(allow),
	}
}

func join(parts ...[]bpf.Instruction) []bpf.Instruction {
	var code []bpf.Instruction
	for _, p := range parts {
		code = append(code, p...)
	}
	return code
}

const newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

// socketCheck allows the families of the internet and unix sockets, with the
// protocols that a program can use without privileges: any other makes the
// kernel load a module on demand. Netlink is not among them: nothing that asks
// for the host's interfaces (getifaddrs, os.networkInterfaces of Node) works.
func socketCheck() []bpf.Instruction {
	return join(
		[]bpf.Instruction{arg(0)},
		require(fail(unix.EAFNOSUPPORT), unix.AF_UNIX, unix.AF_INET, unix.AF_INET6),
		[]bpf.Instruction{arg(2)},
		oneOf(allow, fail(unix.EPROTONOSUPPORT), 0, 1, unix.IPPROTO_TCP, unix.IPPROTO_UDP))
}

// setsockoptCheck forbids what runs a program in the kernel or puts a protocol
// on top of TCP. A socket doesn't linger: one that is sent to the server over the wire
// would have the server wait when the kernel closes it there.
func setsockoptCheck() []bpf.Instruction {
	bpfOptions := join(
		[]bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SO_LINGER, SkipFalse: 1},
			ret(pretend),
		},
		oneOf(fail(unix.EPERM), allow,
			unix.SO_ATTACH_FILTER, unix.SO_ATTACH_BPF, unix.SO_ATTACH_REUSEPORT_CBPF, unix.SO_ATTACH_REUSEPORT_EBPF))
	return join(
		[]bpf.Instruction{
			arg(1),
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOL_SOCKET, SkipFalse: uint8(1 + len(bpfOptions))},
			arg(2),
		},
		bpfOptions,
		[]bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
			ret(allow),
			arg(2),
		},
		oneOf(fail(unix.EPERM), allow, unix.TCP_ULP))
}

// allowedIoctls are questions about terminals and network interfaces, and the
// settings that file descriptors have. TIOCSTI and TIOCLINUX, which type into a
// terminal, are not among them.
func allowedIoctls() []uint32 {
	return []uint32{
		unix.TCGETS, unix.TCSETS, unix.TCSETSW, unix.TCSETSF, unix.TCGETS2,
		unix.TIOCGPGRP, unix.TIOCSPGRP, unix.TIOCGWINSZ, unix.TIOCSWINSZ, unix.TIOCNOTTY, unix.TIOCGSID,
		unix.TIOCOUTQ, unix.TIOCINQ, fioNBIO, fioNCLEX, fioCLEX, fioASYNC, fioQSIZE,
		unix.SIOCGIFNAME, unix.SIOCGIFCONF, unix.SIOCGIFFLAGS, unix.SIOCGIFADDR, unix.SIOCGIFBRDADDR,
		unix.SIOCGIFNETMASK, unix.SIOCGIFMTU, unix.SIOCGIFHWADDR, unix.SIOCGIFINDEX,
	}
}

// Requests that x/sys doesn't name, equal on both architectures.
const (
	fioNBIO  = 0x5421
	fioNCLEX = 0x5450
	fioCLEX  = 0x5451
	fioASYNC = 0x5452
	fioQSIZE = 0x5460
)

// allowedPrctls are what C libraries, V8 and Python use, and questions.
func allowedPrctls() []uint32 {
	return []uint32{
		unix.PR_SET_NAME, unix.PR_GET_NAME, unix.PR_SET_VMA, unix.PR_SET_PDEATHSIG, unix.PR_GET_PDEATHSIG,
		unix.PR_GET_DUMPABLE, unix.PR_SET_DUMPABLE, unix.PR_GET_KEEPCAPS, unix.PR_GET_SECCOMP, unix.PR_CAPBSET_READ,
		unix.PR_SET_TIMERSLACK, unix.PR_GET_TIMERSLACK, unix.PR_SET_CHILD_SUBREAPER, unix.PR_GET_CHILD_SUBREAPER,
		unix.PR_SET_NO_NEW_PRIVS, unix.PR_GET_NO_NEW_PRIVS, unix.PR_GET_TID_ADDRESS,
		unix.PR_SET_THP_DISABLE, unix.PR_GET_THP_DISABLE, unix.PR_GET_SPECULATION_CTRL,
		unix.PR_SVE_GET_VL, unix.PR_PAC_RESET_KEYS, unix.PR_GET_TAGGED_ADDR_CTRL,
	}
}

// hidden reports whether a known call is to look as if the kernel didn't have
// it, so that programs take their other way.
func hidden(name string) bool {
	switch name {
	case "clone3", "io_uring_setup", "io_uring_enter", "io_uring_register",
		"inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "cachestat":
		return true
	}
	return false
}

// allowedCalls are allowed with any arguments. A name that an architecture
// lacks is skipped there. Left out on purpose, besides all that needs a
// capability: ptrace and its kin, System V and POSIX message queues, libaio, vmsplice,
// userfaultfd, keys, NUMA settings, the mount interface, changes of identity.
func allowedCalls() []string {
	return []string{
		// Files and folders.
		"read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "pwritev2",
		"open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "lseek", "flock",
		"stat", "fstat", "lstat", "newfstatat", "statx", "statfs", "fstatfs", "access", "faccessat", "faccessat2",
		"getdents", "getdents64", "getcwd", "chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat",
		"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat", "readlink", "readlinkat",
		"chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "umask",
		"truncate", "ftruncate", "fallocate", "readahead",
		"utime", "utimes", "utimensat", "futimesat", "copy_file_range", "sendfile", "splice", "tee",
		"getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
		"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
		"memfd_create",

		// Waiting.
		"poll", "ppoll", "select", "pselect6", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
		"epoll_pwait2", "pipe", "pipe2", "eventfd", "eventfd2", "signalfd", "signalfd4",
		"timerfd_create", "timerfd_settime", "timerfd_gettime",
		"futex", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue",

		// Memory.
		"brk", "mmap", "munmap", "mremap", "mprotect", "madvise", "mincore", "mseal", "membarrier",
		"mlock", "mlock2", "munlock", "mlockall", "munlockall",
		"pkey_alloc", "pkey_free", "pkey_mprotect", "map_shadow_stack", "get_mempolicy",

		// Processes and threads.
		"fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid",
		"getpid", "getppid", "gettid", "getpgrp", "getpgid", "setpgid", "getsid", "setsid",
		"getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget",
		"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal",
		"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigpending", "rt_sigsuspend", "rt_sigtimedwait", "sigaltstack",
		"set_tid_address", "set_robust_list", "get_robust_list", "rseq", "arch_prctl", "restart_syscall",
		"getrlimit", "getrusage", "times", "getpriority", "setpriority", "ioprio_get",
		"sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getscheduler", "sched_setscheduler",
		"sched_getparam", "sched_setparam", "sched_getattr", "sched_get_priority_max", "sched_get_priority_min",
		"sched_rr_get_interval", "getcpu",

		// Time, system.
		"clock_gettime", "clock_getres", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "pause", "alarm",
		"getitimer", "setitimer", "timer_create", "timer_settime", "timer_gettime", "timer_getoverrun", "timer_delete",
		"uname", "sysinfo", "getrandom",

		// Sockets that socket allowed.
		"bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername", "getsockopt", "shutdown",
	}
}

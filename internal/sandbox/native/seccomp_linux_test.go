package native

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// judge runs the filter of an architecture on a call, in the interpreter of
// x/net/bpf. That one reads big-endian words, so the call is written in them.
func judge(t *testing.T, vm *bpf.VM, id arch.AuditArch, nr uint32, args ...uint64) verdict {
	t.Helper()
	data := make([]byte, 64)
	binary.BigEndian.PutUint32(data[offNumber:], nr)
	binary.BigEndian.PutUint32(data[offArch:], uint32(id))
	for i, a := range args {
		binary.BigEndian.PutUint32(data[offArgs+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[offArgs+8*i+4:], uint32(a>>32))
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatalf("run filter: %v", err)
	}
	return verdict(n)
}

func mustVM(t *testing.T, info *arch.Info) *bpf.VM {
	t.Helper()
	prog, err := assembleFilter(info)
	if err != nil {
		t.Fatal(err)
	}
	vm, err := bpf.NewVM(prog)
	if err != nil {
		t.Fatal(err)
	}
	return vm
}

func TestFilterJudgesEveryNumber(t *testing.T) {
	allowed, checked := allowedCalls(), checkedCalls()
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		vm := mustVM(t, info)
		for nr := range uint32(600) {
			name, known := info.SyscallNumbers[int(nr)]
			if checked[name] != nil {
				continue
			}
			want := fail(unix.EPERM)
			switch {
			case !known || hidden(name):
				want = fail(unix.ENOSYS)
			case slices.Contains(allowed, name):
				want = allow
			}
			// Arguments that are numbers of allowed calls must not matter.
			if got := judge(t, vm, info.ID, nr, 0, 1, 2, 3, 4, 5); got != want {
				t.Errorf("%s: %s (%d) = %#x, want %#x", info.Name, name, nr, got, want)
			}
		}
	}
}

func TestFilterNamesExist(t *testing.T) {
	newer := []string{"futex_wait", "futex_wake", "futex_requeue", "mseal", "map_shadow_stack", "fchmodat2"}
	seen := map[string]bool{}
	for _, name := range allowedCalls() {
		_, amd64 := arch.X86_64.SyscallNames[name]
		_, arm64 := arch.AARCH64.SyscallNames[name]
		if !amd64 && !arm64 && !slices.Contains(newer, name) {
			t.Errorf("no architecture has %s", name)
		}
		if seen[name] || checkedCalls()[name] != nil {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
	}
}

func TestFilterKillsOtherArchitectures(t *testing.T) {
	vm := mustVM(t, arch.X86_64)
	write := uint32(arch.X86_64.SyscallNames["write"])
	for what, got := range map[string]verdict{
		"i386":     judge(t, vm, arch.I386.ID, 4, 1),
		"x32":      judge(t, vm, arch.X86_64.ID, x32Bit|write, 1),
		"arm":      judge(t, mustVM(t, arch.AARCH64), arch.ARM.ID, 4, 1),
		"x32 last": judge(t, vm, arch.X86_64.ID, math.MaxUint32-1),
	} {
		if got != killProcess {
			t.Errorf("%s: got %#x, want the process killed", what, got)
		}
	}
	if got := judge(t, vm, arch.X86_64.ID, math.MaxUint32); got != fail(unix.ENOSYS) {
		t.Errorf("syscall(-1): got %#x, want ENOSYS", got)
	}
}

func TestFilterChecksArguments(t *testing.T) {
	const high = 1 << 32 // set bits that the kernel cuts off
	eperm := fail(unix.EPERM)
	for _, c := range []struct {
		call string
		args []uint64
		want verdict
	}{
		{"clone", []uint64{unix.CLONE_VM | unix.CLONE_THREAD | unix.CLONE_SIGHAND}, allow},
		{"clone", []uint64{uint64(unix.SIGCHLD)}, allow},
		{"clone", []uint64{unix.CLONE_NEWUSER}, eperm},
		{"clone", []uint64{high | unix.CLONE_NEWNS | uint64(unix.SIGCHLD)}, eperm},
		{"clone", []uint64{unix.CLONE_NEWNET}, eperm},
		{"clone", []uint64{unix.CLONE_NEWPID}, eperm},
		{"clone", []uint64{unix.CLONE_NEWIPC}, eperm},
		{"clone", []uint64{unix.CLONE_NEWUTS}, eperm},
		{"clone", []uint64{unix.CLONE_NEWCGROUP}, eperm},
		{"clone3", nil, fail(unix.ENOSYS)},
		{"socket", []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, allow},
		{"socket", []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP}, allow},
		{"socket", []uint64{unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP}, allow},
		{"socket", []uint64{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP}, fail(unix.EPROTONOSUPPORT)},
		{"socket", []uint64{unix.AF_VSOCK, unix.SOCK_STREAM, 0}, fail(unix.EAFNOSUPPORT)},
		{"socket", []uint64{high | unix.AF_VSOCK, unix.SOCK_STREAM, 0}, fail(unix.EAFNOSUPPORT)},
		{"socket", []uint64{unix.AF_PACKET, unix.SOCK_RAW, 0}, fail(unix.EAFNOSUPPORT)},
		{"socket", []uint64{unix.AF_ALG, unix.SOCK_SEQPACKET, 0}, fail(unix.EAFNOSUPPORT)},
		{"socket", []uint64{unix.AF_NETLINK, unix.SOCK_RAW, 0}, fail(unix.EAFNOSUPPORT)},
		{"socketpair", []uint64{unix.AF_UNIX, unix.SOCK_STREAM, 0}, allow},
		{"socketpair", []uint64{unix.AF_TIPC, unix.SOCK_STREAM, 0}, fail(unix.EAFNOSUPPORT)},
		{"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_REUSEADDR}, allow},
		{"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER}, eperm},
		{"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_ATTACH_BPF}, eperm},
		{"setsockopt", []uint64{3, unix.IPPROTO_TCP, unix.TCP_NODELAY}, allow},
		{"setsockopt", []uint64{3, unix.IPPROTO_TCP, unix.TCP_ULP}, eperm},
		{"setsockopt", []uint64{3, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY}, allow},
		{"ioctl", []uint64{0, unix.TCGETS}, allow},
		{"ioctl", []uint64{0, fioNBIO}, allow},
		{"ioctl", []uint64{0, unix.TIOCSTI}, fail(unix.ENOTTY)},
		{"ioctl", []uint64{0, high | unix.TIOCSTI}, fail(unix.ENOTTY)},
		{"ioctl", []uint64{0, unix.TIOCLINUX}, fail(unix.ENOTTY)},
		{"prctl", []uint64{unix.PR_SET_NAME}, allow},
		{"prctl", []uint64{unix.PR_SET_VMA}, allow},
		{"prctl", []uint64{unix.PR_SET_SECCOMP, 2}, eperm},
		{"prctl", []uint64{unix.PR_SET_MM}, eperm},
		{"prctl", []uint64{unix.PR_CAP_AMBIENT}, eperm},
		{"prctl", []uint64{unix.PR_SET_PTRACER}, eperm},
		{"personality", []uint64{0xffffffff}, allow},
		{"personality", []uint64{0}, allow},
		{"personality", []uint64{0x0040000 /* ADDR_NO_RANDOMIZE */}, eperm},
		{"mknodat", []uint64{0, 0, unix.S_IFIFO | 0o600}, allow},
		{"mknodat", []uint64{0, 0, unix.S_IFCHR | 0o600}, eperm},
		{"mknodat", []uint64{0, 0, unix.S_IFBLK | 0o600}, eperm},
		{"mknod", []uint64{0, unix.S_IFCHR | 0o600}, eperm},
		{"mknod", []uint64{0, unix.S_IFIFO | 0o600}, allow},
		{"fcntl", []uint64{0, unix.F_SETFL, 0}, allow},
		{"fcntl", []uint64{0, unix.F_NOTIFY, 1}, eperm},
		{"fcntl", []uint64{0, unix.F_SETLEASE, 1}, eperm},
		{"setrlimit", []uint64{unix.RLIMIT_NOFILE, 1}, allow},
		{"setrlimit", []uint64{unix.RLIMIT_CORE, 1}, eperm},
		{"prlimit64", []uint64{0, unix.RLIMIT_NOFILE, 1, 0}, allow},
		{"prlimit64", []uint64{0, unix.RLIMIT_CORE, 0, 1}, allow},
		{"prlimit64", []uint64{0, unix.RLIMIT_CORE, 1, 0}, eperm},
		{"prlimit64", []uint64{0, unix.RLIMIT_CORE, high, 0}, eperm},
		{"prlimit64", []uint64{0, high | unix.RLIMIT_CORE, 1, 0}, eperm},
		{"preadv2", []uint64{0, 0, 0, 0, 0, 0}, allow},
		{"preadv2", []uint64{0, 0, 0, 0, 0, unix.RWF_NOWAIT}, fail(unix.EOPNOTSUPP)},
		{"sendto", []uint64{0, 0, 0, unix.MSG_NOSIGNAL}, allow},
		{"sendto", []uint64{0, 0, 0, unix.MSG_OOB | unix.MSG_NOSIGNAL}, fail(unix.EOPNOTSUPP)},
		{"recvmsg", []uint64{0, 0, unix.MSG_OOB}, fail(unix.EOPNOTSUPP)},
		{"recvmmsg", []uint64{0, 0, 0, unix.MSG_OOB}, fail(unix.EOPNOTSUPP)},
		{"msync", []uint64{0, 0, unix.MS_ASYNC}, allow},
		{"msync", []uint64{0, 0, unix.MS_SYNC}, pretend},
		{"sync", nil, pretend},
		{"syncfs", nil, pretend},
		{"fsync", nil, pretend},
		{"fadvise64", nil, pretend},
		{"setsockopt", []uint64{3, unix.SOL_SOCKET, unix.SO_LINGER}, pretend},
		{"setsockopt", []uint64{3, unix.IPPROTO_TCP, unix.TCP_CONGESTION}, allow}, // the number of SO_LINGER, elsewhere
	} {
		for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
			nr, ok := info.SyscallNames[c.call]
			if !ok {
				continue
			}
			if got := judge(t, mustVM(t, info), info.ID, uint32(nr), c.args...); got != c.want {
				t.Errorf("%s: %s%#x = %#x, want %#x", info.Name, c.call, c.args, got, c.want)
			}
		}
	}
}

func TestFilterForbidsWhatEscapes(t *testing.T) {
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		vm := mustVM(t, info)
		for _, name := range forbiddenCalls() {
			nr, ok := info.SyscallNames[name]
			if !ok {
				continue
			}
			if got := judge(t, vm, info.ID, uint32(nr)); got == allow {
				t.Errorf("%s: %s is allowed", info.Name, name)
			}
		}
	}
}

// forbiddenCalls are calls that nobody may ever put on the list.
func forbiddenCalls() []string {
	return []string{
		"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
		"mount", "umount2", "pivot_root", "chroot", "fsopen", "fsmount", "fsconfig", "fspick", "open_tree", "move_mount", "mount_setattr",
		"setns", "unshare", "clone3", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register",
		"keyctl", "add_key", "request_key", "open_by_handle_at", "name_to_handle_at",
		"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "reboot", "swapon", "swapoff",
		"quotactl", "quotactl_fd", "acct", "syslog", "settimeofday", "clock_settime", "adjtimex", "clock_adjtime", "sethostname", "setdomainname",
		"iopl", "ioperm", "modify_ldt", "seccomp", "memfd_secret", "fanotify_init", "vmsplice", "remap_file_pages",
		"setuid", "setgid", "setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset",
		"migrate_pages", "move_pages", "mbind", "set_mempolicy", "vhangup", "lookup_dcookie", "uselib", "ustat", "sysfs",
		"inotify_init", "inotify_init1", "inotify_add_watch", "shmget", "shmat", "semget", "msgget", "mq_open",
	}
}

func TestFilterSize(t *testing.T) {
	for _, info := range []*arch.Info{arch.X86_64, arch.AARCH64} {
		prog, err := assembleFilter(info)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d instructions", info.Name, len(prog))
		if len(prog) > 512 {
			t.Errorf("%s: %d instructions, more than the kernel compiles cheaply", info.Name, len(prog))
		}
	}
}

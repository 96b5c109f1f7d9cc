package native

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The init is this very program, started again inside fresh namespaces. It
// puts the root together, seals itself and becomes the language. It is told
// what to do over a socket, on which it answers with an error text; success is
// the end of that socket, which closes when the language takes over.

// initName is the name that the program is started again under.
const initName = "hearth-init"

// Descriptors of an init. Those of what it becomes are in zygote.md.
const (
	fdWire   = 3 // of a zygote: control
	fdFilter = 4
	fdSetup  = 5
	fdNet    = 6 // of a sandbox
)

// initSpec is what an init is told.
type initSpec struct {
	Root rootSpec  `json:"root"`
	Argv []string  `json:"argv"`
	Env  []string  `json:"env"`
	Cell *cellSpec `json:"cell,omitempty"` // nil for a zygote
}

// cellSpec is how a sandbox is sealed. A zygote gets it with each request to
// fork, under the names of zygote.md.
type cellSpec struct {
	UID      int    `json:"uid"`
	GID      int    `json:"gid"`
	TmpMiB   int    `json:"tmp_mib"`
	Hostname string `json:"hostname"`
	NoFile   uint64 `json:"nofile"`
	FSizeMiB uint64 `json:"fsize_mib"`
	Core     uint64 `json:"core"`
	Rehearse bool   `json:"rehearse"`
	Mounts   bool   `json:"mounts"`
	Setuid   bool   `json:"setuid"`
}

// IsInit reports whether this process was started to be the init of a sandbox.
// A program that makes native sandboxes calls it before anything else.
func IsInit() bool { return len(os.Args) > 0 && os.Args[0] == initName }

// Init is the init. It returns an exit status if it failed, else never.
func Init() int {
	runtime.LockOSThread() // what is sealed is this thread; it becomes the process
	debug.SetGCPercent(-1)
	setup := os.NewFile(fdSetup, "setup")
	err := runInit(setup)
	fmt.Fprint(setup, err)
	return 125 // as zygote.md has it for a seal that failed
}

func runInit(setup io.Reader) error {
	var spec initSpec
	if err := json.NewDecoder(setup).Decode(&spec); err != nil {
		return fmt.Errorf("read what to start: %w", err)
	}
	if err := unix.CloseRange(fdWire+1, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("mark descriptors: %w", err)
	}
	if spec.Cell == nil {
		return becomeZygote(spec)
	}
	return becomeCell(spec)
}

// zygoteCaps are what forking a sealed process takes: mounts and namespaces,
// user ids, and giving all of that up.
var zygoteCaps = []int{unix.CAP_SYS_ADMIN, unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETPCAP}

func becomeZygote(spec initSpec) error {
	if err := enterRoot(spec.Root, false); err != nil {
		return err
	}
	if err := dropBounding(zygoteCaps...); err != nil {
		return err
	}
	var mask uint64
	for _, c := range zygoteCaps {
		mask |= 1 << c
	}
	if err := setCaps(mask, mask, 0); err != nil {
		return err
	}
	if _, err := unix.FcntlInt(fdFilter, unix.F_SETFD, 0); err != nil {
		return fmt.Errorf("keep filter: %w", err)
	}
	return become(spec.Argv, spec.Env)
}

// becomeCell seals the process in the order of zygote.md.
func becomeCell(spec initSpec) error {
	c := spec.Cell
	filter, err := readFilter(fdFilter)
	if err != nil {
		return err
	}
	if err := enterRoot(spec.Root, true); err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"join network namespace", func() error { return unix.Setns(fdNet, unix.CLONE_NEWNET) }},
		{"leave cgroup namespace", func() error { return unix.Unshare(unix.CLONE_NEWCGROUP) }},
		{"set host name", func() error { return unix.Sethostname([]byte(c.Hostname)) }},
		{"mount temporary folders", func() error { return mountTmp(c.TmpMiB) }},
		{"set resource limits", func() error { return setRlimits(c) }},
		{"drop bounding capabilities", func() error { return dropBounding() }},
		{"become the sandbox's user", func() error { return setIDs(c) }},
		{"drop capabilities", func() error { return setCaps(0, 0, 0) }},
		{"set no_new_privs", func() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	argv, env, err := execArgs(spec.Argv, spec.Env)
	if err != nil {
		return err
	}
	if err := installFilter(filter); err != nil {
		return err
	}
	return replace(spec.Argv[0], argv, env)
}

func mountTmp(mib int) error {
	for dir, kib := range tmpSizes(mib) {
		opts := "mode=1777," + tmpLimits(kib)
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, opts); err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
	}
	return nil
}

func setRlimits(c *cellSpec) error {
	// No priority that the server may have: a function would outrun everybody.
	limits := map[int]uint64{unix.RLIMIT_CORE: c.Core, unix.RLIMIT_NOFILE: c.NoFile, unix.RLIMIT_RTPRIO: 0, unix.RLIMIT_NICE: 0}
	if c.FSizeMiB > 0 {
		limits[unix.RLIMIT_FSIZE] = c.FSizeMiB << 20
	}
	for what, n := range limits {
		// The syscall package's own: it then doesn't put the old limit on
		// descriptors back at exec.
		if err := syscall.Setrlimit(what, &syscall.Rlimit{Cur: n, Max: n}); err != nil {
			return err
		}
	}
	return nil
}

// setIDs changes the ids of this thread alone, with raw calls: the syscall
// package would change all threads', and this is the one that stays.
func setIDs(c *cellSpec) error {
	if !c.Setuid {
		return nil
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return fmt.Errorf("groups: %w", errno)
	}
	gid, uid := uintptr(c.GID), uintptr(c.UID)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, gid, gid, gid); errno != 0 {
		return fmt.Errorf("group: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uid, uid, uid); errno != 0 {
		return fmt.Errorf("user: %w", errno)
	}
	return nil
}

// dropBounding drops all capabilities but keep from the bounding set.
func dropBounding(keep ...int) error {
	kept := map[int]bool{}
	for _, c := range keep {
		kept[c] = true
	}
	for c := range 64 {
		if kept[c] {
			continue
		}
		// EINVAL: the kernel has fewer.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return err
		}
	}
	return nil
}

// setCaps sets the capabilities of this thread and clears the ambient ones.
func setCaps(effective, permitted, inheritable uint64) error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	for i := range data {
		shift := 32 * i
		data[i] = unix.CapUserData{
			Effective: uint32(effective >> shift), Permitted: uint32(permitted >> shift), Inheritable: uint32(inheritable >> shift),
		}
	}
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("set capabilities: %w", err)
	}
	return nil
}

// readFilter reads the array of struct sock_filter from its start: the file is
// shared by all sandboxes.
func readFilter(fd int) ([]byte, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("read filter: %w", err)
	}
	b := make([]byte, st.Size)
	if _, err := unix.Pread(fd, b, 0); err != nil {
		return nil, fmt.Errorf("read filter: %w", err)
	}
	if len(b) == 0 || len(b)%unix.SizeofSockFilter != 0 {
		return nil, fmt.Errorf("read filter: %d bytes are no filter", len(b))
	}
	return b, nil
}

// installFilter puts this thread under the filter.
func installFilter(b []byte) error {
	prog := unix.SockFprog{
		Len:    uint16(len(b) / unix.SizeofSockFilter),
		Filter: (*unix.SockFilter)(unsafe.Pointer(&b[0])),
	}
	_, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(b)
	if errno != 0 {
		return fmt.Errorf("install seccomp filter: %w", errno)
	}
	return nil
}

// become replaces this program.
func become(argv, env []string) error {
	a, e, err := execArgs(argv, env)
	if err != nil {
		return err
	}
	return replace(argv[0], a, e)
}

func execArgs(argv, env []string) (a, e []*byte, err error) {
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return nil, nil, fmt.Errorf("start %q: the command is not an absolute path", argv)
	}
	if a, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, nil, err
	}
	e, err = syscall.SlicePtrFromStrings(env)
	return a, e, err
}

// replace replaces this process by the program. It is one system call, prepared
// before: the filter may already hold.
func replace(name string, argv, env []*byte) error {
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE,
		uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0])))
	return fmt.Errorf("start %s: %w", name, errno)
}

package native

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

func notify(c chan<- os.Signal) { signal.Notify(c, unix.SIGINT, unix.SIGTERM) }

// filterThisProcess puts the filter on all threads of this process, for ever.
func filterThisProcess() error {
	b, err := seccompFilter()
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(b) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&b[0]))}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	if e != 0 {
		return fmt.Errorf("install filter: %w", e)
	}
	return nil
}

// attempt is a system call with its arguments. Where the filter failed, the
// arguments must do no harm.
type attempt struct {
	name string
	nr   uintptr
	args [6]uintptr
	want unix.Errno
}

const none = ^uintptr(0) // no valid pointer, descriptor, flag or id

func attempts() ([]attempt, error) {
	info, err := arch.GetInfo("")
	if err != nil {
		return nil, err
	}
	var as []attempt
	for _, name := range forbiddenCalls() {
		nr, ok := info.SyscallNames[name]
		if !ok || name == "vhangup" { // the one that takes no argument
			continue
		}
		want := unix.EPERM
		if hidden(name) {
			want = unix.ENOSYS
		}
		as = append(as, attempt{name, uintptr(nr), [6]uintptr{none, none, none, none, none, none}, want})
	}
	with := func(call, what string, want unix.Errno, args ...uintptr) {
		a := attempt{name: call + " " + what, nr: uintptr(info.SyscallNames[call]), want: want}
		copy(a.args[:], args)
		as = append(as, a)
	}
	with("unshare", "nothing", unix.EPERM, 0)
	with("clone", "NEWUSER", unix.EPERM, unix.CLONE_NEWUSER|unix.CLONE_SIGHAND) // SIGHAND without VM is invalid
	with("clone", "NEWNS", unix.EPERM, unix.CLONE_NEWNS|unix.CLONE_SIGHAND)
	with("clone", "a thread, badly", unix.EINVAL, unix.CLONE_SIGHAND)
	with("socket", "VSOCK", unix.EAFNOSUPPORT, unix.AF_VSOCK, unix.SOCK_STREAM)
	with("socket", "PACKET", unix.EAFNOSUPPORT, unix.AF_PACKET, unix.SOCK_RAW)
	with("socket", "ALG", unix.EAFNOSUPPORT, unix.AF_ALG, unix.SOCK_SEQPACKET)
	with("socket", "NETLINK", unix.EAFNOSUPPORT, unix.AF_NETLINK, unix.SOCK_RAW)
	with("socket", "SCTP", unix.EPROTONOSUPPORT, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP)
	with("socketpair", "TIPC", unix.EAFNOSUPPORT, unix.AF_TIPC, unix.SOCK_STREAM, 0, none)
	with("ioctl", "TIOCSTI", unix.ENOTTY, none, unix.TIOCSTI)
	with("ioctl", "TCGETS", unix.EBADF, none, unix.TCGETS)
	with("personality", "ADDR_NO_RANDOMIZE", unix.EPERM, 0x0040000)
	with("prctl", "PR_SET_MM", unix.EPERM, unix.PR_SET_MM)
	with("setsockopt", "SO_ATTACH_FILTER", unix.EPERM, none, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER)
	with("setsockopt", "TCP_ULP", unix.EPERM, none, unix.IPPROTO_TCP, unix.TCP_ULP)
	with("setsockopt", "TCP_NODELAY", unix.EBADF, none, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	with("mknodat", "device", unix.EPERM, none, none, unix.S_IFCHR)
	with("mknodat", "fifo", unix.EFAULT, none, none, unix.S_IFIFO)
	as = append(as, attempt{"a call of the future", 5000, [6]uintptr{}, unix.ENOSYS})
	return as, nil
}

// attemptHelper tries every attempt and prints those that end otherwise. One
// more is tried alone: its caller expects the process to be killed.
func attemptHelper() error {
	as, err := attempts()
	if err != nil {
		return err
	}
	if err := filterThisProcess(); err != nil {
		return err
	}
	if os.Getenv("ONLY") == "x32" {
		unix.RawSyscall(x32Bit|unix.SYS_GETPPID, 0, 0, 0)
		return errors.New("an x32 call came back")
	}
	for _, a := range as {
		_, _, e := unix.RawSyscall6(a.nr, a.args[0], a.args[1], a.args[2], a.args[3], a.args[4], a.args[5])
		if e != a.want {
			fmt.Printf("%s: got %v (%d), want %v\n", a.name, e, int(e), a.want)
		}
	}
	fmt.Printf("tried %d\n", len(as))
	return nil
}

func TestKernelKeepsTheFilter(t *testing.T) {
	as, err := attempts()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := mustRun(t, helper("attempt")), fmt.Sprintf("tried %d\n", len(as)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestX32CallKills(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("x32 is an ABI of amd64")
	}
	wantKilled(t, helper("attempt", "ONLY=x32"))
}

// wantKilled runs a command that must die by SIGSYS.
func wantKilled(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || !strings.Contains(exit.String(), "bad system call") {
		t.Errorf("got %v, want the process killed by SIGSYS\n%s", err, out)
	}
}

// execFilteredHelper becomes the program in $RUN, under the filter.
func execFilteredHelper() error {
	argv := strings.Split(os.Getenv("RUN"), "\x1f")
	if err := filterThisProcess(); err != nil {
		return err
	}
	return unix.Exec(argv[0], argv, os.Environ())
}

func filtered(argv ...string) *exec.Cmd {
	return helper("exec-filtered", "RUN="+strings.Join(argv, "\x1f"))
}

func Test32BitProgramIsKilled(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("needs the 32-bit ABI of amd64")
	}
	path := filepath.Join(t.TempDir(), "exit7")
	if err := os.WriteFile(path, elf32(), 0o755); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := exec.Command(path).Run(); !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Skipf("this kernel runs no 32-bit programs: %v", err)
	}
	wantKilled(t, filtered(path))
}

// elf32 is a 32-bit program that exits with 7 by int 0x80.
func elf32() []byte {
	const base, size = 0x08048000, 52 + 32
	code := []byte{0xb8, 1, 0, 0, 0, 0xbb, 7, 0, 0, 0, 0xcd, 0x80} // mov eax,1; mov ebx,7; int 0x80
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, v := range []any{
		uint16(2), uint16(3), uint32(1), uint32(base + size), uint32(52), uint32(0), uint32(0),
		uint16(52), uint16(32), uint16(1), uint16(40), uint16(0), uint16(0),
		uint32(1), uint32(0), uint32(base), uint32(base), uint32(size + len(code)), uint32(size + len(code)), uint32(5), uint32(0x1000),
	} {
		_ = binary.Write(&b, binary.LittleEndian, v)
	}
	b.Write(code)
	return b.Bytes()
}

// interpreters returns the installed interpreters that match the patterns.
func interpreters(patterns ...string) []string {
	var found []string
	for _, p := range patterns {
		m, _ := filepath.Glob(p)
		found = append(found, m...)
	}
	return found
}

func TestPythonWorksUnderTheFilter(t *testing.T) {
	home, _ := os.UserHomeDir()
	pythons := interpreters("/usr/bin/python3", "/usr/local/bin/python3",
		filepath.Join(home, ".pyenv/versions/3.9.*/bin/python3"), filepath.Join(home, ".pyenv/versions/3.[123]?.*/bin/python3"))
	if len(pythons) == 0 {
		skip(t, "no python3 is installed")
	}
	runWorkloads(t, pythons, "testdata/seccomp_workload.py")
}

func TestNodeWorksUnderTheFilter(t *testing.T) {
	nodes := interpreters("/usr/bin/node", "/usr/local/bin/node")
	if len(nodes) == 0 {
		skip(t, "no node is installed")
	}
	runWorkloads(t, nodes, "testdata/seccomp_workload.mjs")
}

func runWorkloads(t *testing.T, programs []string, script string) {
	script, err := filepath.Abs(script)
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range programs {
		t.Run(program, func(t *testing.T) {
			cmd := filtered(program, script)
			cmd.Dir = t.TempDir()
			out := mustRun(t, cmd)
			t.Log(strings.TrimSpace(out))
			if !strings.HasSuffix(out, "all done\n") {
				t.Errorf("the workload ended early:\n%s", out)
			}
		})
	}
}

// getppidHelper prints the time of a cheap call, in nanoseconds, without and
// with the filter.
func getppidHelper() error {
	measure := func(call func()) int64 {
		best := int64(1 << 62)
		for range 20 {
			const rounds = 20_000
			start := time.Now()
			for range rounds {
				call()
			}
			best = min(best, time.Since(start).Nanoseconds()/rounds)
		}
		return best
	}
	getppid := func() { unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0) }
	prctl := func() { unix.RawSyscall(unix.SYS_PRCTL, unix.PR_GET_DUMPABLE, 0, 0) } // checks an argument
	a, c := measure(getppid), measure(prctl)
	start := time.Now()
	if err := filterThisProcess(); err != nil {
		return err
	}
	install := time.Since(start)
	fmt.Println(a, measure(getppid), c, measure(prctl), install.Microseconds())
	return nil
}

func TestFilterCostsLittle(t *testing.T) {
	s := bufio.NewScanner(strings.NewReader(mustRun(t, helper("getppid"))))
	s.Scan()
	var a, b, c, d, install int64
	if _, err := fmt.Sscan(s.Text(), &a, &b, &c, &d, &install); err != nil {
		t.Fatal(err)
	}
	t.Logf("getppid: %d ns, filtered %d ns; prctl: %d ns, filtered %d ns; installing took %d us", a, b, c, d, install)
	if d > 20*c+20_000 {
		t.Errorf("a filtered prctl takes %d ns, without the filter %d ns", d, c)
	}
}

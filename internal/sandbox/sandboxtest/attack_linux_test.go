package sandboxtest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An attack that can't work proves nothing. These tests run the attacks as
// ordinary programs, outside of any sandbox, where they must work.

// outside runs one attack without a sandbox.
func outside[T any](t *testing.T, language, name string, event any, files ...*os.File) (got T) {
	t.Helper()
	program := map[string][]string{"python": {"python3", "attacks.py"}, "nodejs": {"node", "attacks.mjs"}}[language]
	interpreter, err := exec.LookPath(program[0])
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("needs %s: %v", program[0], err)
	}
	b, err := json.Marshal(event)
	must(t, err)
	cmd := exec.Command(interpreter, program[1], name, string(b))
	cmd.Dir = filepath.Join("testdata", language)
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	out, err := cmd.Output()
	must(t, err)
	return reply[T](t, out)
}

// both runs a test in both languages.
func both(t *testing.T, test func(t *testing.T, language string)) {
	for _, language := range []string{"python", "nodejs"} {
		t.Run(language, func(t *testing.T) { test(t, language) })
	}
}

// wantWorked wants these attempts to have worked.
func wantWorked(t *testing.T, got attempts, names ...string) {
	t.Helper()
	worked := strings.Join(got.worked(), "\n")
	for _, name := range names {
		if !strings.Contains(worked, name) {
			t.Errorf("%s doesn't work outside: %q", name, got[name])
		}
	}
}

func TestFilesAreReadOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		path := planted(t)
		got := outside[attempts](t, language, "files", map[string]any{"paths": []string{path}})
		wantWorked(t, got, path, "/proc/self/root"+path)
	})
}

func TestEnvironmentsAreReadOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		pid, _, secret := victim(t)
		wantWorked(t, outside[attempts](t, language, "environments", map[string]string{"text": secret}), strconv.Itoa(pid))
	})
}

func TestProcessesAreSeenAndSignalledOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		pid, mark, _ := victim(t)
		if got := outside[seen](t, language, "processes", map[string]string{"text": mark}); !got.Found {
			t.Errorf("the victim isn't among %d processes", got.Seen)
		}
		wantWorked(t, outside[attempts](t, language, "signals", map[string]any{"pids": []int{pid}}), fmt.Sprintf("SIGCONT %d", pid))
	})
}

func TestTracingWorksOutside(t *testing.T) {
	needRoot(t)
	both(t, func(t *testing.T, language string) {
		pid, _, _ := victim(t)
		got := outside[attempts](t, language, "tracing", map[string]any{"pids": []int{pid}, "address": firstAddress(t, pid)})
		names := []string{fmt.Sprintf("mem %d", pid), fmt.Sprintf("maps %d", pid)}
		if language == "python" {
			names = append(names, fmt.Sprintf("PTRACE_ATTACH %d", pid), fmt.Sprintf("process_vm_readv %d", pid), fmt.Sprintf("kcmp %d", pid))
		}
		wantWorked(t, got, names...)
	})
}

// firstAddress is one that the process can read.
func firstAddress(t *testing.T, pid int) uint64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	must(t, err)
	hex, _, _ := strings.Cut(string(b), "-")
	n, err := strconv.ParseUint(hex, 16, 64)
	must(t, err)
	return n
}

func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case os.Getuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("needs root")
	default:
		t.Skip("needs root")
	}
}

func TestNamespacesAreMadeOutside(t *testing.T) {
	needRoot(t)
	wantWorked(t, outside[attempts](t, "python", "namespaces", nil),
		"unshare NEWNS", "unshare NEWUTS", "clone NEWNET", "clone NEWPID", "clone3 NEWIPC", "setns net", "setns uts")
}

func TestSocketsAreMadeOutside(t *testing.T) {
	const netlink, raw = 16, 3
	if made := outside[[][2]int](t, "python", "sockets", nil); !slices.Contains(made, [2]int{netlink, raw}) {
		t.Errorf("no netlink socket among %v", made)
	}
}

func TestServersAreReachedOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		event := servers(t)
		l, err := net.ListenPacket("udp", "127.0.0.1:0")
		must(t, err)
		defer l.Close()
		event["udp"] = l.LocalAddr().(*net.UDPAddr).Port
		got := outside[attempts](t, language, "connect", event)
		names := []string{"127.0.0.1 ", "@" + event["abstract"].([]string)[0], event["unix"].([]string)[0]}
		if language == "nodejs" {
			names = append(names, "udp 127.0.0.1")
		}
		wantWorked(t, got, names...)
	})
}

func TestDescriptorsAreInheritedOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		secret, err := os.Open(planted(t))
		must(t, err)
		defer secret.Close()
		dir, err := os.Open(".")
		must(t, err)
		defer dir.Close()
		got := outside[map[string]string](t, language, "descriptors", nil, secret, secret, dir)
		wrong := strings.Join(foreign(t, got), "\n")
		for _, want := range []string{"descriptor 3", "descriptor 4", "descriptor 5"} {
			if !strings.Contains(wrong, want) {
				t.Errorf("%s isn't noticed in %v", want, got)
			}
		}
	})
}

func TestWritesWorkOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		file := planted(t)
		folder := filepath.Dir(file)
		got := outside[attempts](t, language, "writes", map[string]any{"files": []string{file}, "folders": []string{folder}})
		wantWorked(t, got, "write "+file, "append "+file, "chmod "+file, "make in "+folder)
	})
}

func TestCgroupsAreSeenOutside(t *testing.T) {
	both(t, func(t *testing.T, language string) {
		wantWorked(t, outside[attempts](t, language, "cgroups", nil), "list")
	})
}

func TestTheKernelIsReachedOutside(t *testing.T) {
	// Only what can't hurt this host: the others would reboot, unload or hang up.
	only := map[string]any{"only": []string{"personality", "kallsyms", "bpf", "mount_setattr"}}
	got := outside[attempts](t, "python", "kernel", only)
	wantWorked(t, got, "personality", "kallsyms")
	needRoot(t)
	if open := got.open(); len(open) != len(got) {
		t.Errorf("some doors look shut outside: %v, open: %q", got, open)
	}
}

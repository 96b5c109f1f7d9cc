package native

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sandbox"
)

// The words of a finding's status.
const (
	statusOK      = "ok"
	statusWeak    = "weak"
	statusMissing = "missing"
)

// Probe tries on this host what sandboxes are made of. It leaves nothing
// behind and doesn't disturb a driver that is at work, here or in another process.
func (d *Driver) Probe(ctx context.Context) (sandbox.Capabilities, error) {
	if err := ctx.Err(); err != nil {
		return sandbox.Capabilities{}, err
	}
	if os.Geteuid() != 0 {
		if err := userNamespaceForbidden("/"); err != nil {
			return sandbox.Capabilities{}, err
		}
		return sandbox.Capabilities{}, hearth.Errorf(hearth.CodeUnsupported, "the native sandbox needs root, its own or that of a user namespace").
			WithHint("start the server with hearth serve, which makes a user namespace, or run it as root")
	}
	around := findSurroundings("/")
	if err := tryKernel(d.cfg.Dir, around); err != nil {
		return sandbox.Capabilities{}, err
	}
	groups, err := openCgroups(fmt.Sprintf("%s-probe-%d-%d", d.cfg.Instance, os.Getpid(), d.probes.Add(1)))
	if err != nil {
		return sandbox.Capabilities{}, fmt.Errorf("probe: %w", err)
	}
	defer func() { _ = groups.close() }()
	return d.describe(groups, around), nil
}

// describe says what a host that can run sandboxes can enforce.
func (d *Driver) describe(groups *cgroups, around surroundings) sandbox.Capabilities {
	ok := sandbox.Enforcement{OK: true}
	c := sandbox.Capabilities{
		Root:   !rootless(),
		Memory: groups.memory, CPU: groups.cpu, PIDs: groups.pids,
		Tmp: ok, Network: ok,
		Egress:  openEgress(d.cfg.Instance, d.cfg.Egress).probe(),
		Streams: 1, CodeMount: true, Forks: true,
	}
	base, ownIDs := d.cfg.UIDBase, true
	if rootless() {
		base, _, ownIDs = uidRange()
	}
	c.Isolation = isolation(c.Root, groups.version, base, ownIDs)

	find := func(name, status, detail, fix string) {
		c.Findings = append(c.Findings, sandbox.Finding{Name: name, Status: status, Detail: detail, Fix: fix})
	}
	find("isolation", statusOK, c.Isolation, "")
	if c.Root {
		find("privileges", statusOK, "root: every promise below can be kept with it", "")
	} else {
		find("privileges", statusWeak, "an ordinary user's: the server is root of a user namespace only", "run hearth as root for network: egress and limits on any host")
	}
	if ownIDs {
		find("user ids", statusOK, fmt.Sprintf("each sandbox has its own, from %d", base), "")
	} else {
		find("user ids", statusWeak, "sandboxes run under the id of the server: what keeps them apart are namespaces alone",
			"sudo apt install uidmap && sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 $(id -un)")
	}
	for _, l := range []struct {
		name string
		e    sandbox.Enforcement
		ok   string
	}{
		{"memory limit", c.Memory, "held by the memory cgroup, without swap"},
		{"cpu limit", c.CPU, "held by the cpu cgroup"},
		{"process limit", c.PIDs, "held by the pids cgroup"},
		{"/tmp limit", c.Tmp, "held by the size of a tmpfs"},
		{"no network", c.Network, "an empty network namespace for each sandbox"},
		{"network: egress", c.Egress, egressDetail()},
	} {
		if l.e.OK {
			find(l.name, statusOK, l.ok, "")
		} else {
			find(l.name, statusMissing, l.e.Why, l.e.Fix)
		}
	}
	if c.Egress.OK {
		for _, chain := range droppingForwarders() {
			find("network: egress", statusWeak, "another firewall drops forwarded packets ("+chain+")",
				"where that is Docker's: sudo iptables -I DOCKER-USER -i hth+ -j ACCEPT && sudo iptables -I DOCKER-USER -o hth+ -j ACCEPT")
		}
	}
	if filter, err := seccompFilter(); err == nil {
		find("system calls", statusOK, fmt.Sprintf("an allowlist of %d instructions", len(filter)/8), "")
	}
	c.Findings = append(c.Findings, around.findings()...)
	return c
}

// egressDetail says what egress does to the host.
func egressDetail() string {
	up := uplinks()
	if len(up) == 0 {
		return "can be offered, but this host has no default route now"
	}
	return "by address translation; turns on forwarding on " + strings.Join(up, ", ") + " while it is used"
}

// isolation is the line for people.
func isolation(root bool, cgroupVersion, base int, ownIDs bool) string {
	parts := []string{"namespaces", "seccomp"}
	if cgroupVersion != 0 {
		parts = append(parts, fmt.Sprintf("cgroup v%d", cgroupVersion))
	}
	if ownIDs {
		parts = append(parts, fmt.Sprintf("own uid %d+", base))
	} else {
		parts = append(parts, "shared uid")
	}
	if !root {
		parts = append(parts, "rootless")
	}
	return strings.Join(parts, ", ")
}

// trial is a thing that sandboxes can't be without.
type trial struct {
	name  string // "own mounts"
	since string // the first kernel that can, where hosts may be older
	try   func() error
}

// tryKernel goes through all trials on a spare thread, so that none of it
// stays. dir is any folder without mounts below. The error names what failed first.
func tryKernel(dir string, around surroundings) (err error) {
	onSpareThread(func() {
		for _, t := range trials(dir) {
			if terr := t.try(); terr != nil {
				err = t.explain(terr, around)
				return
			}
		}
	})
	return err
}

func trials(dir string) []trial {
	unshare := func(name string, flag int) trial {
		return trial{name, "", func() error { return unix.Unshare(flag) }}
	}
	return []trial{
		unshare("mount namespaces", unix.CLONE_NEWNS),
		{"private mounts", "", func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") }},
		unshare("network namespaces", unix.CLONE_NEWNET),
		unshare("pid namespaces", unix.CLONE_NEWPID),
		unshare("ipc namespaces", unix.CLONE_NEWIPC),
		unshare("host name namespaces", unix.CLONE_NEWUTS),
		unshare("cgroup namespaces", unix.CLONE_NEWCGROUP),
		{"temporary file systems", "", func() error { return unix.Mount("tmpfs", "/proc", "tmpfs", 0, "size=64k") }},
		{"the mount interface of Linux 5.12", "5.12", func() error { return tryDetachedMount(dir) }},
		{"joining namespaces by process", "5.8", tryPidfd},
		{"system call filters", "4.14", trySeccomp},
	}
}

// tryDetachedMount mounts a folder read-only the way code arrives in a sandbox.
func tryDetachedMount(dir string) error {
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(fd)
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, attr); err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, "/proc", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

func tryPidfd() error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return fmt.Errorf("pidfd_open: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("setns: %w", err)
	}
	return nil
}

func trySeccomp() error {
	const getActionAvail = 2 // SECCOMP_GET_ACTION_AVAIL
	action := uint32(killProcess)
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, getActionAvail, 0, uintptr(unsafe.Pointer(&action))); e != 0 {
		return fmt.Errorf("seccomp: %w", e)
	}
	return nil
}

// explain turns the failure of a trial into what a person can do about it.
func (t trial) explain(err error, around surroundings) error {
	e := hearth.Errorf(hearth.CodeUnsupported, "this host lacks what the native sandbox needs: %s: %w", t.name, err)
	denied := errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES)
	switch {
	case denied && around.container != "":
		return e.WithHint("hearth runs in a container (%s) that may not make namespaces; start that one with --privileged, "+
			"or with --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined", around.container)
	case denied && rootless():
		if f := userNamespaceForbidden("/"); f != nil {
			f.Cause = err
			return f
		}
		return e.WithHint("the host's security policy takes rights from user namespaces; run hearth as root")
	case denied:
		return e.WithHint("run hearth with all of root's capabilities: something took CAP_SYS_ADMIN from it")
	case errors.Is(err, unix.ENOSPC):
		return e.WithHint("a limit of the host is reached: sudo sysctl -w user.max_mnt_namespaces=10000 user.max_net_namespaces=10000 user.max_pid_namespaces=10000")
	case t.since != "" && (errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL)):
		return e.WithHint("this kernel is %s; run Linux %s or later (Debian 12, Ubuntu 22.04 and RHEL 9.2 have one)", around.kernel, t.since)
	}
	return e.WithHint("use a kernel that is built with namespaces, seccomp and tmpfs, as distributions build theirs")
}

// surroundings are facts about the host that explain others.
type surroundings struct {
	kernel    string // "6.18.44"
	container string // "docker", … or ""
	wsl       bool
}

// findSurroundings reads them below root.
func findSurroundings(root string) surroundings {
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(bytes.Trim(b, "\x00")))
	}
	exists := func(name string) bool { _, err := os.Stat(filepath.Join(root, name)); return err == nil }
	s := surroundings{kernel: read("proc/sys/kernel/osrelease")}
	s.wsl = strings.Contains(strings.ToLower(s.kernel), "microsoft")
	switch {
	case read("run/systemd/container") != "":
		s.container = read("run/systemd/container")
	case exists("run/.containerenv"):
		s.container = "podman"
	case exists(".dockerenv"):
		s.container = "docker"
	default:
		for kv := range strings.SplitSeq(read("proc/1/environ"), "\x00") {
			if name, ok := strings.CutPrefix(kv, "container="); ok {
				s.container = name
			}
		}
	}
	return s
}

// findings are the surroundings in words.
func (s surroundings) findings() []sandbox.Finding {
	fs := []sandbox.Finding{{Name: "kernel", Status: statusOK, Detail: "Linux " + s.kernel}}
	if s.older(5, 14) {
		fs[0].Status = statusWeak
		fs[0].Detail += ": sandboxes are killed process by process"
		fs[0].Fix = "run Linux 5.14 or later, which kills a whole cgroup at once"
	}
	if s.container != "" {
		fs = append(fs, sandbox.Finding{
			Name: "container", Status: statusWeak,
			Detail: "hearth itself runs in a container (" + s.container + "): its limits and policies hold for all sandboxes together",
			Fix:    "run hearth on the host where you can",
		})
	}
	if s.wsl {
		fs = append(fs, sandbox.Finding{
			Name: "WSL", Status: statusWeak,
			Detail: "the Windows Subsystem for Linux: sandboxes share the kernel with every distribution that runs in it",
			Fix:    "use a Linux machine for code that you don't trust",
		})
	}
	return fs
}

// older reports whether the kernel is older than major.minor.
func (s surroundings) older(major, minor int) bool {
	parts := strings.FieldsFunc(s.kernel, func(r rune) bool { return r < '0' || r > '9' })
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err1 == nil && err2 == nil && (a < major || a == major && b < minor)
}

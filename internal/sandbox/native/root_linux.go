package native

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"hearth"
)

// rootSpec says what a sandbox sees of the file system.
type rootSpec struct {
	On    string   `json:"on"`    // empty host folder to put it together on
	Files []string `json:"files"` // host paths, seen at the same place
	Shim  string   `json:"shim"`  // host folder, seen at hearth.ShimMount
	UID   int      `json:"uid"`   // the first of UIDs user ids that get a name
	UIDs  int      `json:"uids"`
}

// rootPlan is what to put where. Paths are absolute, of the host and of the
// sandbox alike.
type rootPlan struct {
	links map[string]string // symbolic links
	binds []string          // folders and files, none inside another, none a link
}

// mergedUsr are the links of a system whose programs all live in /usr. Programs
// name their interpreter and libraries through them.
var mergedUsr = []string{"/bin", "/lib", "/lib64", "/lib32", "/libx32", "/sbin"}

// private are the folders that every sandbox has its own of: what a runtime
// keeps there would be hidden.
var private = []string{"/proc", "/dev", "/sys", "/tmp", hearth.ShimMount, hearth.CodeMount}

// planRoot finds out how files have to be placed so that every one can be
// reached by its path: links on the way are made again, what they lead to is
// bound.
func planRoot(files []string) (rootPlan, error) {
	p := rootPlan{links: map[string]string{}}
	for _, link := range mergedUsr {
		if target, err := os.Readlink(link); err == nil {
			p.links[link] = target
		}
	}
	found := map[string]bool{}
	for _, f := range files {
		real, err := p.resolve(f)
		if err != nil {
			return p, fmt.Errorf("runtime file %s: %w", f, err)
		}
		if real == "/" {
			return p, fmt.Errorf("runtime file %s: is the whole file system", f)
		}
		for _, dir := range private {
			if within(dir, real) {
				return p, fmt.Errorf("runtime file %s: lies in %s, which is private in a sandbox; install the runtime elsewhere", f, dir)
			}
		}
		found[real] = true
	}
	for _, f := range slices.Sorted(maps.Keys(found)) {
		// Sorted: what is inside a folder comes after it.
		if !slices.ContainsFunc(p.binds, func(dir string) bool { return within(dir, f) }) {
			p.binds = append(p.binds, f)
		}
	}
	maps.DeleteFunc(p.links, func(link, _ string) bool {
		return slices.ContainsFunc(p.binds, func(b string) bool { return within(b, link) })
	})
	return p, nil
}

// resolve follows file to what it really is and notes the links on the way.
func (p rootPlan) resolve(file string) (string, error) {
	if !path.IsAbs(file) {
		return "", errors.New("is not an absolute path")
	}
	done, rest := "/", file
	for hops := 0; rest != ""; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			done = path.Dir(done)
			continue
		}
		at := path.Join(done, name)
		target, err := os.Readlink(at)
		switch {
		case errors.Is(err, unix.EINVAL): // it is there and no link
			done = at
			continue
		case err != nil:
			return "", errors.Unwrap(err)
		}
		if hops++; hops > 40 {
			return "", unix.ELOOP
		}
		p.links[at] = target
		if path.IsAbs(target) {
			done = "/"
		}
		rest = target + "/" + rest
	}
	return done, nil
}

// within reports whether p is dir or inside it.
func within(dir, p string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// enterRoot puts the root together and makes it the root of the calling
// process, whose mount namespace must be its own. Nothing of the old one can be
// reached afterwards. With cell set /proc is that of a sandbox, whose pid
// namespace the caller is in; else it is that of a zygote.
func enterRoot(s rootSpec, cell bool) error {
	plan, err := planRoot(s.Files)
	if err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("root", s.On, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755,size=4m"); err != nil {
		return fmt.Errorf("mount root: %w", err)
	}
	if err := plan.build(s); err != nil {
		return err
	}
	if err := mountProc(filepath.Join(s.On, "proc"), cell); err != nil {
		return err
	}
	ro := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(unix.AT_FDCWD, s.On, 0, ro); err != nil {
		return fmt.Errorf("make root read-only: %w", err)
	}
	return pivot(s.On)
}

// pivot makes dir, a mount point, the root and lets go of the old one.
func pivot(dir string) error {
	if err := unix.Chdir(dir); err != nil {
		return fmt.Errorf("enter root: %w", err)
	}
	// Both at the same place: the old root is then mounted over the new one,
	// and no folder for it is needed.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the host's root: %w", err)
	}
	return unix.Chdir("/")
}

// build fills the tmpfs at s.On.
func (p rootPlan) build(s rootSpec) error {
	for _, dir := range []string{"dev/shm", "proc", "tmp", "code", "hearth", "etc"} {
		if err := os.MkdirAll(filepath.Join(s.On, dir), 0o755); err != nil {
			return fmt.Errorf("build root: %w", err)
		}
	}
	for _, f := range p.binds {
		if err := bind(f, filepath.Join(s.On, f), unix.MOUNT_ATTR_NODEV); err != nil {
			return err
		}
	}
	if err := bind(s.Shim, filepath.Join(s.On, hearth.ShimMount), unix.MOUNT_ATTR_NODEV); err != nil {
		return err
	}
	for link, target := range p.links {
		if err := symlink(target, filepath.Join(s.On, link)); err != nil {
			return err
		}
	}
	if err := buildDev(s.On); err != nil {
		return err
	}
	return buildEtc(s)
}

func buildDev(on string) error {
	for _, node := range []string{"null", "zero", "full", "random", "urandom"} {
		if err := bind("/dev/"+node, filepath.Join(on, "dev", node), unix.MOUNT_ATTR_NOEXEC); err != nil {
			return err
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := symlink(target, filepath.Join(on, "dev", name)); err != nil {
			return err
		}
	}
	return nil
}

// buildEtc writes the few files that libraries look for. What the runtime
// brought itself stays.
func buildEtc(s rootSpec) error {
	const nobody = "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n"
	var passwd, group strings.Builder
	passwd.WriteString("root:x:0:0:root:/:/usr/sbin/nologin\n" + nobody)
	group.WriteString("root:x:0:\nnogroup:x:65534:\n")
	for uid := s.UID; uid < s.UID+s.UIDs; uid++ {
		fmt.Fprintf(&passwd, "sandbox:x:%d:%d::/tmp:/bin/sh\n", uid, uid)
		fmt.Fprintf(&group, "sandbox:x:%d:\n", uid)
	}
	for name, text := range map[string]string{
		"passwd":        passwd.String(),
		"group":         group.String(),
		"hosts":         "127.0.0.1 localhost sandbox\n::1 localhost sandbox\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
		"resolv.conf":   "",
	} {
		err := writeNew(filepath.Join(s.On, "etc", name), text)
		if err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.EROFS) {
			return fmt.Errorf("build root: %w", err)
		}
	}
	const cache = "/etc/ld.so.cache"
	if _, err := os.Stat(cache); err != nil {
		return nil // a C library that needs none
	}
	if _, err := os.Lstat(filepath.Join(s.On, cache)); err == nil {
		return nil
	}
	return bind(cache, filepath.Join(s.On, cache), unix.MOUNT_ATTR_NODEV)
}

func writeNew(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func symlink(target, at string) error {
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return fmt.Errorf("build root: %w", err)
	}
	if err := os.Symlink(target, at); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("build root: %w", err)
	}
	return nil
}

// bind shows the file or folder at host path from, read-only, at to, which is
// made.
func bind(from, to string, attr uint64) error {
	if err := makeLike(from, to); err != nil {
		return fmt.Errorf("build root: %w", err)
	}
	fd, err := detached(from, unix.AT_RECURSIVE, attr)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", from, err)
	}
	return nil
}

// makeLike makes an empty folder or file at to, as from is one.
func makeLike(from, to string) error {
	fi, err := os.Stat(from)
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return os.MkdirAll(to, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// detached returns a mount of the file or folder at name that is attached
// nowhere yet: read-only, without set-uid programs, and with the attributes in
// attr. The caller closes it.
func detached(name string, flags uint, attr uint64) (int, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, name, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|flags)
	if err != nil {
		return -1, fmt.Errorf("mount %s: %w", name, err)
	}
	set := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | attr}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH|flags, set); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("make mount of %s read-only: %w", name, err)
	}
	return fd, nil
}

// mountProc mounts the process list at dir. With own set it shows the processes of
// the caller's pid namespace and nothing of the machine, as far as the kernel can.
func mountProc(dir string, own bool) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	var err error
	for _, opts := range procOptions(own) {
		if err = unix.Mount("proc", dir, "proc", flags, opts); err == nil {
			return nil
		}
	}
	if !own && errors.Is(err, unix.EPERM) {
		// In a user namespace, the process list of the host's pid namespace
		// can't be mounted again, only borrowed.
		if err = unix.Mount("/proc", dir, "", unix.MS_BIND|unix.MS_REC, ""); err == nil {
			return nil
		}
	}
	return fmt.Errorf("mount proc: %w", err)
}

func procOptions(own bool) []string {
	if own {
		return []string{"subset=pid,hidepid=2", "hidepid=2"} // subset needs Linux 5.8
	}
	return []string{""}
}

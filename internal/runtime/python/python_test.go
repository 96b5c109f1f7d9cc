package python

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/runtime"
)

// MustDetect finds the host's interpreters. A machine that runs the tests
// without any skips in a workshop and fails in CI.
func MustDetect(t *testing.T) []hearth.Runtime {
	t.Helper()
	found, note, err := New().Detect(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal(note)
		}
		t.Skip(note)
	}
	return found
}

// The shim's own tests, in its own language, with every interpreter found.
func TestShim(t *testing.T) {
	for _, rt := range MustDetect(t) {
		t.Run(rt.Name, func(t *testing.T) {
			for _, suite := range []string{"test_golden", "test_shim", "test_zygote"} {
				t.Run(suite, func(t *testing.T) {
					t.Parallel()
					cmd := exec.Command(rt.Interpreter, "-B", "-m", "unittest", "-v", suite)
					cmd.Dir = "shim"
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Fatalf("%v\n%s", err, out)
					}
					if skipped(string(out)) {
						if os.Getenv("CI") != "" && os.Getuid() == 0 && !strings.HasPrefix(rt.Interpreter, rootHome(t)+"/") {
							t.Fatalf("something was skipped:\n%s", out)
						}
						t.Skip(firstSkip(string(out)))
					}
				})
			}
		})
	}
}

func skipped(out string) bool { return strings.Contains(out, "skipped=") }

func firstSkip(out string) string {
	for _, line := range strings.Split(out, "\n") {
		if strings.Contains(line, "skipped '") || strings.Contains(line, `skipped "`) {
			return line
		}
	}
	return "skipped"
}

func TestDetectDescribesWhatADriverNeeds(t *testing.T) {
	for _, rt := range MustDetect(t) {
		if rt.Language != "python" || !strings.HasPrefix(rt.Version, strings.TrimPrefix(rt.Name, "python")+".") {
			t.Errorf("name %s, language %s and version %s don't agree", rt.Name, rt.Language, rt.Version)
		}
		covered := func(path string) bool {
			for _, f := range rt.Files {
				if runtime.Inside(path, f) {
					return true
				}
			}
			return false
		}
		libs, err := runtime.Closure(rt.Interpreter)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range append(libs, rt.Interpreter) {
			if !covered(p) {
				t.Errorf("%s: %s is not in the files", rt.Name, p)
			}
		}
		if covered("/usr/lib/python3/dist-packages") || covered("/etc/passwd") || covered(filepath.Join(rootHome(t), ".ssh")) {
			t.Errorf("%s: the files give away more than the language: %v", rt.Name, rt.Files)
		}
		if len(rt.Files) > 60 {
			t.Errorf("%s: %d files; each is a mount in every sandbox", rt.Name, len(rt.Files))
		}
		for _, name := range []string{"shim.py", "zygote.py", "rehearsal/rehearsal_sync.py"} {
			info, err := os.Stat(filepath.Join(rt.ShimDir, name))
			if err != nil || info.Mode().Perm() != 0o644 {
				t.Errorf("%s in the shim's folder: %v %v", name, info, err)
			}
		}
		for _, command := range [][]string{rt.Command, rt.Zygote} {
			if command[0] != rt.Interpreter || !strings.HasPrefix(command[len(command)-1], hearth.ShimMount+"/") {
				t.Errorf("%s: command %v", rt.Name, command)
			}
		}
	}
}

// The files are enough: the interpreter imports every extension module and runs
// a shell in a root that holds nothing else.
func TestFilesAreEnough(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can make a root of bind mounts without a driver")
	}
	rt := MustDetect(t)[0]
	files, err := json.Marshal(rt.Files)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	script := `
import ctypes, json, os, shutil, subprocess, sys
root, files, interpreter = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
libc = ctypes.CDLL(None, use_errno=True)
for link in ("bin", "sbin", "lib", "lib64"):
    if os.path.islink("/" + link): os.symlink(os.readlink("/" + link), root + "/" + link)
for f in files + ["/dev/null"]:
    target = root + f
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(f): os.makedirs(target, exist_ok=True)
    else: open(target, "a").close()
    if libc.mount(os.path.realpath(f).encode(), target.encode(), None, 4096, None): sys.exit("mount %s: %s" % (f, os.strerror(ctypes.get_errno())))
os.chroot(root); os.chdir("/")
code = '''
import ctypes, sqlite3, ssl, bz2, lzma, zlib, subprocess, sys, zoneinfo, decimal, hashlib, uuid, asyncio
assert len(ssl.create_default_context().get_ca_certs()) >= 0
assert zoneinfo.ZoneInfo("Europe/Paris")
assert subprocess.run("echo one two | tr a-z A-Z | cut -d' ' -f2", shell=True, capture_output=True, text=True).stdout == "TWO\\n"
assert subprocess.run(["ls", "/"], capture_output=True).returncode == 0
assert not [p for p in sys.path if "packages" in p], sys.path
print("enough")
'''
sys.exit(subprocess.run([interpreter, "-I", "-S", "-c", code], env={"PATH": "/usr/bin:/bin"}).returncode)
`
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", rt.Interpreter, "-I", "-S", "-c", script, root, string(files), rt.Interpreter)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "enough") {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAHostWithoutPythonIsNoError(t *testing.T) {
	found, note, err := language{folders: []string{t.TempDir()}}.Detect(context.Background(), t.TempDir())
	if len(found) != 0 || err != nil || !strings.Contains(note, "apt-get install") {
		t.Errorf("Detect = %v, %q, %v; want a note that says how to install it", found, note, err)
	}
}

// Who has a Python isn't told to install one.
func TestAPythonThatFailsIsNamed(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "python3")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho no space left >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	found, note, err := language{folders: []string{dir}}.Detect(context.Background(), t.TempDir())
	if len(found) != 0 || err != nil || !strings.Contains(note, path) || !strings.Contains(note, "no space left") || strings.Contains(note, "install") {
		t.Errorf("Detect = %v, %q, %v; want a note with the path and what it said", found, note, err)
	}
}

func TestAVirtualEnvironmentLeadsToItsInterpreter(t *testing.T) {
	rt := MustDetect(t)[0]
	for _, how := range []string{"--symlinks", "--copies"} {
		dir := filepath.Join(t.TempDir(), "venv")
		if out, err := exec.Command(rt.Interpreter, "-I", "-m", "venv", how, "--without-pip", dir).CombinedOutput(); err != nil {
			t.Skipf("this interpreter can't make a virtual environment: %s", out)
		}
		found, _ := language{folders: []string{filepath.Join(dir, "bin")}}.interpreters(context.Background())
		if len(found) != 1 || found[0].Executable != rt.Interpreter {
			t.Errorf("found %v in a virtual environment; want %s", found, rt.Interpreter)
		}
	}
}

// rootHome is where root keeps its own files.
func rootHome(t testing.TB) string {
	t.Helper()
	u, err := user.LookupId("0")
	if err != nil {
		t.Fatal(err)
	}
	return u.HomeDir
}

"""Attacks of the conformance suite. Each returns, for every attempt, what came
of it: "worked…" or "refused: why". Attempts that could hurt the attacker are
made in a child of its own."""

import ctypes
import errno
import os
import platform
import signal
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

X86 = platform.machine() == "x86_64"


def number(x86, arm):
    return x86 if X86 else arm


NR = {
    "clone": number(56, 220),
    "clone3": 435,
    "unshare": number(272, 97),
    "setns": number(308, 268),
    "mount": number(165, 40),
    "umount2": number(166, 39),
    "pivot_root": number(155, 41),
    "chroot": number(161, 51),
    "setuid": number(105, 146),
    "setgid": number(106, 144),
    "setgroups": number(116, 159),
    "capset": number(126, 91),
    "mknodat": number(259, 33),
    "sethostname": number(170, 161),
    "swapon": number(167, 224),
    "acct": number(163, 89),
    "syslog": number(103, 116),
    "settimeofday": number(164, 170),
    "ptrace": number(101, 117),
    "process_vm_readv": number(310, 270),
    "process_vm_writev": number(311, 271),
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "kcmp": number(312, 272),
    "move_pages": number(279, 239),
    "bpf": number(321, 280),
    "io_uring_setup": 425,
    "userfaultfd": number(323, 282),
    "perf_event_open": number(298, 241),
    "keyctl": number(250, 219),
    "add_key": number(248, 217),
    "request_key": number(249, 218),
    "open_by_handle_at": number(304, 265),
    "name_to_handle_at": number(303, 264),
    "personality": number(135, 92),
    "fanotify_init": number(300, 262),
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fspick": 433,
    "mount_setattr": 442,
    "init_module": number(175, 105),
    "finit_module": number(313, 273),
    "kexec_load": number(246, 104),
    "quotactl": number(179, 60),
    "vhangup": number(153, 58),
    "lookup_dcookie": number(212, 18),
}

CLONE_FLAGS = {
    "NEWTIME": 0x00000080,
    "NEWNS": 0x00020000,
    "NEWCGROUP": 0x02000000,
    "NEWUTS": 0x04000000,
    "NEWIPC": 0x08000000,
    "NEWUSER": 0x10000000,
    "NEWPID": 0x20000000,
    "NEWNET": 0x40000000,
}


def call(name, *args):
    """One system call."""
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(NR[name]), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def attempt(f):
    try:
        got = f()
    except OSError as e:
        return "refused: " + errno.errorcode.get(e.errno, str(e))
    except Exception as e:
        return "refused: " + type(e).__name__
    return "worked" if got is None else f"worked: {got}"


def apart(f):
    """attempt in a child, so that what the kernel kills for it is the child."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(w, attempt(f).encode())
        finally:
            os._exit(0)
    os.close(w)
    got = b""
    while part := os.read(r, 4096):
        got += part
    os.close(r)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return "refused: " + signal.Signals(os.WTERMSIG(status)).name
    return got.decode()


def read(path):
    with open(path, "rb") as f:
        return f"{len(f.read(4096))} bytes of {path}"


def files(event, context):
    """Reads files of the host by every way there may be to them."""
    got = {}
    for path in event["paths"]:
        for way in (path, "/proc/1/root" + path, "/proc/self/root" + path, "/proc/self/cwd/../../../../.." + path, "../../../../.." + path):
            got[way] = attempt(lambda: read(way))
    return got


def environments(event, context):
    """Looks for a text in every environment it can read, its own first."""
    got = {}
    for pid in ["self"] + [p for p in os.listdir("/proc") if p.isdigit()]:
        try:
            with open(f"/proc/{pid}/environ", "rb") as f:
                found = event["text"].encode() in f.read()
        except OSError:
            continue
        got[pid] = "worked" if found else "refused: not there"
    got["os.environ"] = "worked" if event["text"] in os.environ.values() else "refused: not there"
    return got


def processes(event, context):
    """Looks for a text in every command line it can read."""
    seen = []
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as f:
                    seen.append(f.read().replace(b"\0", b" ").decode("utf-8", "replace"))
            except OSError:
                pass
    return {"seen": len(seen), "found": any(event["text"] in line for line in seen)}


def signals(event, context):
    """Signals processes of the host."""
    got = {}
    for pid in event["pids"]:
        for name in ("SIGCONT", "SIGKILL") if event.get("kill") else ("SIGCONT",):
            got[f"{name} {pid}"] = apart(lambda: os.kill(pid, getattr(signal, name)))
        got[f"pidfd_open {pid}"] = apart(lambda: call("pidfd_open", pid, 0))
        got[f"setpriority {pid}"] = apart(lambda: os.setpriority(os.PRIO_PROCESS, pid, 19))
    if event.get("all"):
        apart(lambda: os.kill(-1, signal.SIGKILL))  # that it hits nobody else is for the host to see
    return got


def tracing(event, context):
    got = {}
    for pid in event["pids"]:
        buf = ctypes.create_string_buffer(8)
        iov = struct.pack("QQ", ctypes.addressof(buf), 8)
        far = struct.pack("QQ", event.get("address", 0x400000), 8)
        got[f"PTRACE_ATTACH {pid}"] = apart(lambda: call("ptrace", 16, pid, 0, 0))
        got[f"PTRACE_SEIZE {pid}"] = apart(lambda: call("ptrace", 0x4206, pid, 0, 0))
        got[f"process_vm_readv {pid}"] = apart(lambda: call("process_vm_readv", pid, iov, 1, far, 1, 0))
        got[f"mem {pid}"] = apart(lambda: os.close(os.open(f"/proc/{pid}/mem", os.O_RDWR)))
        got[f"maps {pid}"] = apart(lambda: read(f"/proc/{pid}/maps"))
        got[f"kcmp {pid}"] = apart(lambda: call("kcmp", os.getpid(), pid, 0, 0, 0))
    if event.get("traceme"):
        got["PTRACE_TRACEME"] = apart(lambda: call("ptrace", 0, 0, 0, 0))
    return got


def namespaces(event, context):
    got = {}

    def clone(flags):
        pid = call("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    def clone3(flags):
        args = struct.pack("11Q", flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0)
        pid = call("clone3", args, len(args))
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)

    for name, flags in CLONE_FLAGS.items():
        got["unshare " + name] = apart(lambda: call("unshare", flags))
        if name != "NEWTIME":
            got["clone " + name] = apart(lambda: clone(flags))
        got["clone3 " + name] = apart(lambda: clone3(flags))
        got["unshare USER and " + name] = apart(lambda: call("unshare", flags | CLONE_FLAGS["NEWUSER"]))
    for ns in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):

        def enter():
            fd = os.open("/proc/self/ns/" + ns, os.O_RDONLY)
            call("setns", fd, 0)

        got["setns " + ns] = apart(enter)
    return got


def privileges(event, context):
    """Only run inside: as root of a host these would do harm."""
    caps = (struct.pack("II", 0x20080522, 0), struct.pack("6I", *[0xFFFFFFFF] * 6))
    attempts = {
        "mount tmpfs": lambda: call("mount", b"none", b"/tmp", b"tmpfs", 0, 0),
        "mount bind": lambda: call("mount", b"/", b"/tmp", 0, 4096, 0),
        "mount proc": lambda: call("mount", b"proc", b"/tmp", b"proc", 0, 0),
        "mount cgroup2": lambda: call("mount", b"none", b"/tmp", b"cgroup2", 0, 0),
        "remount code": lambda: call("mount", b"none", b"/code", 0, 32 | 4096, 0),
        "umount code": lambda: call("umount2", b"/code", 2),
        "umount proc": lambda: call("umount2", b"/proc", 2),
        "pivot_root": lambda: call("pivot_root", b"/tmp", b"/tmp"),
        "chroot": lambda: call("chroot", b"/tmp"),
        "setuid": lambda: call("setuid", 0),
        "setgid": lambda: call("setgid", 0),
        "setgroups": lambda: call("setgroups", 1, struct.pack("I", 0)),
        "capset": lambda: call("capset", caps[0], caps[1]),
        "mknod char": lambda: call("mknodat", -100, b"/tmp/null", 0o20666, 0x103),
        "mknod block": lambda: call("mknodat", -100, b"/tmp/disk", 0o60666, 0x800),
        "sethostname": lambda: call("sethostname", b"evil", 4),
        "swapon": lambda: call("swapon", b"/tmp/swap", 0),
        "acct": lambda: call("acct", 0),
        "syslog": lambda: call("syslog", 3, ctypes.create_string_buffer(64), 64),
        "settimeofday": lambda: call("settimeofday", struct.pack("qq", -1, -1), 0),
        "chown": lambda: (open("/tmp/c", "w").close(), os.chown("/tmp/c", 0, 0))[1],
        "nice": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
        "oom_score_adj": lambda: write("/proc/self/oom_score_adj", "-1000"),
        "uid_map": lambda: write("/proc/self/uid_map", "0 0 1"),
        "rlimit": limit,
        "TIOCSTI": tiocsti,
    }
    return {name: apart(f) for name, f in attempts.items()}


def limit():
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def identity(event, context):
    """What the kernel says of this process."""
    got = {}
    with open("/proc/self/status") as f:
        for line in f:
            name, _, value = line.partition(":")
            got[name] = value.strip()
    return got


def sockets(event, context):
    """Makes a socket of every family and type, and never connects one."""
    made = []
    for family in range(64):
        for kind in (1, 2, 3, 4, 5, 10):
            try:
                s = socket.socket(family, kind, 0)
            except (OSError, ValueError):
                continue
            s.close()
            made.append([family, kind])
    return made


def connect(event, context):
    """Connects to servers of the host."""
    got = {}
    for host, port in event["addresses"]:
        def one():
            s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
            s.settimeout(2)
            s.connect((host, port))
            return s.recv(64).decode()

        got[f"{host} {port}"] = attempt(one)
    for name in event.get("abstract", []):
        def one():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(2)
            s.connect("\0" + name)

        got["@" + name] = attempt(one)
    for path in event.get("unix", []):
        def one():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(2)
            s.connect(path)

        got[path] = attempt(one)
    return got


listening = None


def listen(event, context):
    """Waits for a sibling at an abstract address."""
    global listening
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind("\0" + event)
    listening.listen()
    return True


def descriptors(event, context):
    got = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            got[fd] = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            pass  # that of the listing
    return got


def writes(event, context):
    """Opens for writing what it should only read, and makes files where it may not."""
    got = {}
    for path in event["files"]:
        got["write " + path] = attempt(lambda: os.close(os.open(path, os.O_WRONLY)))
        got["append " + path] = attempt(lambda: os.close(os.open(path, os.O_WRONLY | os.O_APPEND)))
        got["chmod " + path] = attempt(lambda: os.chmod(path, 0o777))
    for folder in event["folders"]:
        def make():
            path = os.path.join(folder, "hearth-attack")
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            os.unlink(path)

        got["make in " + folder] = attempt(make)
    return got


def cgroups(event, context):
    got = {"list": attempt(lambda: len(os.listdir("/sys/fs/cgroup")))}
    for root, folders, names in os.walk("/sys/fs/cgroup"):
        for name in names:
            if name in ("cgroup.procs", "tasks", "memory.max", "memory.limit_in_bytes", "pids.max"):
                path = os.path.join(root, name)
                got["write " + path] = attempt(lambda: os.close(os.open(path, os.O_WRONLY)))
        if len(got) > 50:
            break
    return got


def kernel(event, context):
    """Asks for the parts of the kernel that holes are found in."""
    buf = ctypes.create_string_buffer(256)
    attempts = {
        "bpf": lambda: call("bpf", 0, buf, 0),
        "io_uring": lambda: call("io_uring_setup", 1, buf),
        "userfaultfd": lambda: call("userfaultfd", 1),
        "perf_event_open": lambda: call("perf_event_open", struct.pack("IIQ", 1, 112, 0) + bytes(96), 0, -1, -1, 0),
        "keyctl": lambda: call("keyctl", 0, -3, 0),
        "add_key": lambda: call("add_key", b"user", b"k", b"v", 1, -2),
        "request_key": lambda: call("request_key", b"user", b"k", 0, -2),
        "name_to_handle_at": lambda: call("name_to_handle_at", -100, b"/", struct.pack("Ii", 128, 0) + bytes(128), buf, 0),
        "open_by_handle_at": lambda: call("open_by_handle_at", -100, struct.pack("Ii", 8, 1) + bytes(8), 0),
        "personality": lambda: call("personality", 0x0040000),
        "fanotify_init": lambda: call("fanotify_init", 0, 0),
        "open_tree": lambda: call("open_tree", -100, b"/", 1),
        "fsopen": lambda: call("fsopen", b"tmpfs", 0),
        "fspick": lambda: call("fspick", -100, b"/", 0),
        "move_mount": lambda: call("move_mount", -100, b"/code", -100, b"/tmp", 0),
        "mount_setattr": lambda: call("mount_setattr", -100, b"/code", 0, bytes(32), 32),
        "init_module": lambda: call("init_module", 0, 0, 0),
        "finit_module": lambda: call("finit_module", -1, b"", 0),
        "kexec_load": lambda: call("kexec_load", 0, -1, 0, 0),
        "quotactl": lambda: call("quotactl", 0x800001 << 8, 0, 0, 0),
        "vhangup": lambda: call("vhangup"),
        "process_vm_writev": lambda: call("process_vm_writev", os.getppid(), 0, 0, 0, 0, 0),
        "move_pages": lambda: call("move_pages", os.getppid(), 0, 0, 0, 0, 0),
        "pidfd_getfd": lambda: call("pidfd_getfd", call("pidfd_open", os.getppid(), 0), 0, 0),
        "kallsyms": lambda: read("/proc/kallsyms"),
        "kcore": lambda: read("/proc/kcore"),
        "kmsg": lambda: os.close(os.open("/dev/kmsg", os.O_RDONLY)),
        "mem": lambda: os.close(os.open("/dev/mem", os.O_RDONLY)),
        "sysrq": lambda: os.close(os.open("/proc/sysrq-trigger", os.O_WRONLY)),
        "sysctl": lambda: os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY)),
    }
    only = (event or {}).get("only", attempts)
    return {name: apart(attempts[name]) for name in only}


def tiocsti():
    import fcntl

    fcntl.ioctl(0, 0x5412, b"x")


def close_wire(event, context):
    os.close(3)
    return True


def garbage(event, context):
    """Writes to the wire behind the shim's back."""
    os.set_blocking(3, True)
    for _ in range(64):
        os.write(3, b"\xba\xad" * 4096)
    return True


def forge(event, context):
    """Answers in the name of an invocation that doesn't exist."""
    os.set_blocking(3, True)
    os.write(3, struct.pack(">BBHIII", 5, 0, 0, 4242, 2, 0) + b"{}")
    return True


if __name__ == "__main__":  # outside of any sandbox, to see that an attack can work
    import json

    print(json.dumps(globals()[sys.argv[1]](json.loads(sys.argv[2]), None)))

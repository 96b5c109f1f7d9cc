"""What hostile code would try. Each attack returns what came of it."""
import ctypes
import errno
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import threading
import time

libc = ctypes.CDLL(None, use_errno=True)
ARM = platform.machine() == "aarch64"
CLONE_NEWUSER, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000, 0x20000000, 0x40000000


def attempt(f, *args):
    """Calls f and names the error, or gives what it returned."""
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))
    except ValueError as e:  # as the resource module says EPERM
        return "EPERM" if "not allowed" in str(e) else str(e)


def call(name, *args):
    """Calls a C function and names its errno, or gives its result."""
    ctypes.set_errno(0)
    f = getattr(libc, name)
    f.restype = ctypes.c_long
    r = f(*args)
    # Functions that return an int leave the upper half alone.
    return errno.errorcode.get(ctypes.get_errno(), "?") if r & 0xFFFFFFFF == 0xFFFFFFFF else r


def syscall(amd64, arm64, *args):
    return call("syscall", ctypes.c_long(arm64 if ARM else amd64), *args)


def read(path):
    with open(path, "rb") as f:
        return f.read(200).decode("latin-1")


def write(path):
    with open(path, "wb") as f:
        return f.write(b"x")


def host_files(event):
    return {p: attempt(read, p) for p in event["paths"]}


def listing(event):
    return sorted(os.listdir(event["path"]))


def processes(event):
    return [p for p in os.listdir("/proc") if p.isdigit()]


def signals(event):
    # All processes that can be seen, and some that can't.
    return {"all": attempt(os.kill, -1, 0), "host": attempt(os.kill, event["pid"], 0)}


def ptrace(event):
    return {
        "attach": call("ptrace", ctypes.c_long(16), ctypes.c_long(event["pid"]), None, None),
        "seize": call("ptrace", ctypes.c_long(0x4206), ctypes.c_long(1), None, None),
        "readv": call("process_vm_readv", ctypes.c_long(1), None, ctypes.c_ulong(0), None, ctypes.c_ulong(0), ctypes.c_ulong(0)),
        "memory": attempt(read, "/proc/1/mem") if os.getpid() != 1 else "own",
    }


def clone(flags):
    # A child that exits at once, should there be one.
    pid = syscall(56, 220, ctypes.c_long(flags | signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        os._exit(0)
    return pid


def clone3(flags):
    args = (ctypes.c_uint64 * 8)(flags, 0, 0, 0, signal.SIGCHLD, 0, 0, 0)
    pid = syscall(435, 435, args, ctypes.c_size_t(64))
    if pid == 0:
        os._exit(0)
    return pid


def namespaces(event):
    flags = {"user": CLONE_NEWUSER, "mount": CLONE_NEWNS, "pid": CLONE_NEWPID, "net": CLONE_NEWNET}
    out = {}
    for name, flag in flags.items():
        out["unshare " + name] = call("unshare", ctypes.c_long(flag))
        out["clone " + name] = clone(flag)
        out["clone3 " + name] = clone3(flag)
    return out


def setns(event):
    out = {}
    for ns in os.listdir("/proc/self/ns"):
        fd = attempt(os.open, "/proc/self/ns/" + ns, os.O_RDONLY)
        out[ns] = call("setns", ctypes.c_int(fd), ctypes.c_int(0)) if isinstance(fd, int) else fd
    return out


def privileges(event):
    return {
        "mount": call("mount", b"none", b"/tmp", b"tmpfs", ctypes.c_ulong(0), None),
        "umount": call("umount2", b"/code", ctypes.c_long(2)),
        "umount proc": call("umount2", b"/proc", ctypes.c_long(2)),
        "pivot_root": syscall(155, 41, b"/tmp", b"/tmp"),
        "open_tree": syscall(428, 428, ctypes.c_long(-100), b"/", ctypes.c_ulong(1)),
        "fsopen": syscall(430, 430, b"tmpfs", ctypes.c_ulong(0)),
        "chroot": attempt(os.chroot, "/tmp"),
        "setuid": attempt(os.setuid, 0),
        "setgid": attempt(os.setgid, 0),
        "setgroups": attempt(os.setgroups, [0]),
        "mknod": attempt(os.mknod, "/tmp/disk", 0o60666, os.makedev(254, 0)),
        "sethostname": attempt(socket.sethostname, "x"),
        "bpf": syscall(321, 280, ctypes.c_long(0), None, ctypes.c_long(0)),
        "perf_event_open": syscall(298, 241, None, ctypes.c_long(0), ctypes.c_long(-1), ctypes.c_long(-1), ctypes.c_long(0)),
        "userfaultfd": syscall(323, 282, ctypes.c_long(0)),
        "io_uring_setup": syscall(425, 425, ctypes.c_long(1), None),
        "keyctl": syscall(250, 219, ctypes.c_long(0), ctypes.c_long(-3), ctypes.c_long(1)),
        "open_by_handle_at": syscall(304, 265, ctypes.c_long(-100), None, ctypes.c_long(0)),
        "init_module": syscall(175, 105, None, ctypes.c_long(0), b""),
        "kexec_load": syscall(246, 104, ctypes.c_long(0), ctypes.c_long(0), None, ctypes.c_long(0)),
        "personality": syscall(135, 92, ctypes.c_long(0x0040000)),
        "raise nofile": attempt(resource.setrlimit, resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)),
    }


def status(event):
    want = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
    with open("/proc/self/status") as f:
        pairs = (line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        return {k: v.strip() for k, v in pairs if k in want}


def sockets(event):
    # Only made, never connected.
    families = {"vsock": 40, "netlink": 16, "packet": 17, "alg": 38, "bluetooth": 31, "unix": 1, "inet": 2, "inet6": 10}
    out = {}
    for name, family in families.items():
        kind = socket.SOCK_RAW if name in ("netlink", "packet") else socket.SOCK_SEQPACKET if name in ("alg", "bluetooth") else socket.SOCK_STREAM
        s = attempt(socket.socket, family, kind)
        out[name] = s if isinstance(s, str) else "made"
    out["raw"] = attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) and "made")
    return out


def loopback(event):
    def connect():
        with socket.create_connection(("127.0.0.1", event["port"]), timeout=5):
            return "connected"
    return attempt(connect)


def interfaces(event):
    with open("/proc/self/net/dev") as f:
        return [line.split(":")[0].strip() for line in f if ":" in line]


_listener = None


def listen(event):
    global _listener
    _listener = socket.socket(socket.AF_UNIX)
    _listener.bind("\0" + event["name"])
    _listener.listen()
    return "listening"


def sibling(event):
    def connect():
        with socket.socket(socket.AF_UNIX) as s:
            s.connect("\0" + event["name"])
            return "connected"
    return attempt(connect)


def descriptors(event):
    out = {}
    for fd in os.listdir("/proc/self/fd"):
        target = attempt(os.readlink, "/proc/self/fd/" + fd)
        if target != "ENOENT":  # that of the listing itself
            out[fd] = target.split(":")[0]
    return out


def environment(event):
    with open("/proc/self/environ", "rb") as f:
        return {"given": f.read().decode(), "now": sorted(os.environ)}


def writable(event):
    found = []
    for top, dirs, files in os.walk("/"):
        if top.startswith(("/proc", "/tmp", "/dev/shm")):
            dirs[:] = []
            continue
        for d in [top] + [os.path.join(top, f) for f in files]:
            if os.access(d, os.W_OK) and not d.startswith("/dev/"):
                found.append(d)
    return found


def own_code(event):
    return {
        "write": attempt(write, "/code/main.py"),
        "create": attempt(write, "/code/new.py"),
        "unlink": attempt(os.unlink, "/code/main.py"),
        "chmod": attempt(os.chmod, "/code/main.py", 0o777),
        "shim": attempt(write, "/hearth/x"),
        "root": attempt(write, "/x"),
        "etc": attempt(write, "/etc/passwd"),
    }


def cgroupfs(event):
    return {"sys": attempt(os.listdir, "/sys"), "mount": call("mount", b"none", b"/tmp", b"cgroup2", ctypes.c_ulong(0), None)}


def sysctl(event):
    return {p: attempt(write, p) for p in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern")}


def setuid_programs(event):
    found = []
    for top, dirs, files in os.walk("/"):
        if top.startswith("/proc"):
            dirs[:] = []
            continue
        if not os.statvfs(top).f_flag & os.ST_NOSUID:
            found.append(top)
    return found[:5]


def fork_bomb(event):
    children = []
    try:
        for _ in range(10_000):
            pid = os.fork()
            if pid == 0:
                time.sleep(60)
                os._exit(0)
            children.append(pid)
    except OSError as e:
        return {"forks": len(children), "error": errno.errorcode[e.errno]}
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    return {"forks": len(children), "error": ""}


def fill(event):
    written = 0
    try:
        with open(event["path"], "wb", buffering=0) as f:
            while written < 4 << 30:
                written += f.write(b"x" * (1 << 20))
    except OSError as e:
        return {"mib": written >> 20, "error": errno.errorcode[e.errno]}
    finally:
        if os.path.exists(event["path"]):
            os.unlink(event["path"])


def tiocsti(event):
    import fcntl
    return {fd: attempt(fcntl.ioctl, fd, 0x5412, b"x") for fd in (0, 1, 2)}


def groups(event):
    return {"group": os.getpgid(0), "session": os.getsid(0)}


def kill_group(event):
    # The first process of a pid namespace is spared by its own signals; others
    # of the group aren't.
    return attempt(os.kill, 0, signal.SIGKILL) or "sent"


def core_limit(event):
    return {
        "both": attempt(resource.setrlimit, resource.RLIMIT_CORE, (0, 0)),
        "soft": attempt(resource.setrlimit, resource.RLIMIT_CORE, (0, 1)),
        "now": resource.getrlimit(resource.RLIMIT_CORE),
    }


def priorities(event):
    return {
        "real time": attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
        "round robin": attempt(os.sched_setscheduler, 0, os.SCHED_RR, os.sched_param(1)),
        "nice": attempt(os.setpriority, os.PRIO_PROCESS, 0, -1),
    }


def watch(event):
    import fcntl
    fd = os.open(event["path"], os.O_RDONLY)
    folder = os.open(os.path.dirname(event["path"]), os.O_RDONLY)
    return {
        "inotify": call("inotify_init1", 0),
        "dnotify": attempt(fcntl.fcntl, folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS),
        "lease": attempt(fcntl.fcntl, fd, fcntl.F_SETLEASE, fcntl.F_RDLCK),
        "page cache": attempt(os.preadv, fd, [bytearray(1)], 0, os.RWF_NOWAIT),
    }


def empty_files(event):
    made = 0
    try:
        while made < 1 << 20:
            os.close(os.open("%s/%d" % (event["path"], made), os.O_CREAT | os.O_EXCL, 0o600))
            made += 1
    except OSError as e:
        return {"made": made, "error": errno.errorcode[e.errno]}
    return {"made": made, "error": ""}


def send_descriptors(event):
    wire = socket.socket(fileno=os.dup(3))
    return attempt(socket.send_fds, wire, [b"x"], [0])


def hold_kernel_memory(event):
    """Fills sockets and pipes that nobody reads, until something ends it."""
    kept = []
    while True:
        try:
            kept.append(socket.socketpair())
        except OSError:
            if os.fork():  # out of descriptors: go on in a child
                time.sleep(60)
            kept = []
            os.closerange(4, 1024)
            continue
        s = kept[-1][0]
        s.setblocking(False)
        try:
            while True:
                s.send(b"x" * 65536)
        except BlockingIOError:
            pass


def leave_children(event):
    # A child in its own session that ignores what can be ignored.
    if os.fork() == 0:
        os.setsid()
        for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(s, signal.SIG_IGN)
        while True:
            time.sleep(60)
    return "left"


def spin(event):
    while True:
        pass


def handler(event, context):
    return json.loads(json.dumps(globals()[event["attack"]](event), default=str))

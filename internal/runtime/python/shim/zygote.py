"""Forks sealed processes that run the shim.

Speaks the zygote protocol (internal/sandbox/native/zygote.md) on file descriptor
3, with the seccomp filter of the sandboxes on descriptor 4. It is single-threaded
and holds nothing secret: standard library and shim only, before it forks and
until it ends.

Everything that needs privileges is done by the child between fork and the
seccomp filter, with plain system calls through ctypes.
"""

import ctypes
import gc
import importlib.util
import json
import os
import platform
import random
import resource
import select
import signal
import socket
import struct
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CONTROL, FILTER = 3, 4
NULL, STDOUT, STDERR, WIRE = 0, 1, 2, 3
MAX_PACKET = 64 << 10
FAILED = 125

# What functions use most. Each costs the zygote memory once and a sandbox that
# uses it almost nothing; without it, the first import pays with page faults.
PRELOAD = (
    "asyncio", "base64", "collections", "contextlib", "contextvars", "copy", "csv", "dataclasses", "datetime",
    "decimal", "email.message", "enum", "functools", "hashlib", "hmac", "html", "http.client", "inspect", "io", "itertools",
    "json", "linecache", "logging", "math", "operator", "pathlib", "queue", "random", "re", "secrets", "shutil",
    "signal", "ssl", "statistics", "string", "subprocess", "tempfile", "textwrap", "threading", "time", "traceback",
    "typing", "urllib.parse", "urllib.request", "uuid", "warnings", "zlib",
)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
PR_SET_DUMPABLE, PR_CAPBSET_READ, PR_CAPBSET_DROP = 4, 23, 24
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 22, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_MODE_FILTER = 4, 2
CAPABILITY_VERSION = 0x20080522

# System calls that the C library may be too old to wrap.
SYSCALLS = {
    "x86_64": {"capset": 126, "setns": 308, "unshare": 272, "close_range": 436},
    "aarch64": {"capset": 91, "setns": 268, "unshare": 97, "close_range": 436},
}

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_mount = _libc.mount
_mount.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p)
_prctl = _libc.prctl
_prctl.argtypes = (ctypes.c_int,) + (ctypes.c_ulong,) * 4


class Fprog(ctypes.Structure):
    """struct sock_fprog"""

    _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def check(result, what):
    """Raises the C library's error, saying what failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def prctl(option, argument=0, third=0):
    return _prctl(option, argument, third, 0, 0)


class Kernel:
    """The system calls of this machine by number."""

    def __init__(self):
        machine = platform.machine()
        if machine not in SYSCALLS:
            raise OSError("this machine is a %s; the zygote knows %s" % (machine, ", ".join(sorted(SYSCALLS))))
        self._numbers = SYSCALLS[machine]

    def call(self, name, *arguments):
        longs = [a if isinstance(a, (ctypes.Array, ctypes._Pointer)) else ctypes.c_long(a) for a in arguments]
        return check(_syscall(ctypes.c_long(self._numbers[name]), *longs), name)


# ------------------------------------------------------------- the zygote


def read_filter(fd):
    """Reads the seccomp filter; a sandbox without one is never made."""
    with os.fdopen(fd, "rb", closefd=False) as f:
        try:
            f.seek(0)
        except OSError:
            pass
        data = f.read()
    if not data or len(data) % 8:
        raise ValueError("descriptor %d holds %d bytes, not a seccomp filter" % (fd, len(data)))
    buffer = ctypes.create_string_buffer(data, len(data))
    return Fprog(len(data) // 8, ctypes.addressof(buffer)), buffer


def drop_bounding_set():
    """Nothing that is executed from here on can gain a capability."""
    for capability in range(64):
        if prctl(PR_CAPBSET_READ, capability) < 0:
            break  # past the last that this kernel knows
        check(prctl(PR_CAPBSET_DROP, capability), "drop capability %d" % capability)


def load_shim():
    """Imports the shim under a name that no function uses."""
    spec = importlib.util.spec_from_file_location("hearth_shim", os.path.join(HERE, "shim.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.hide_frames_of(os.path.abspath(__file__))
    return module


def preload():
    for name in PRELOAD:
        try:
            importlib.import_module(name)
        except ImportError as exc:  # a distribution may split off a part
            sys.stderr.write("hearth: %s isn't preloaded: %s\n" % (name, exc))


def check_single_thread():
    """fork copies one thread; another's locks would be held for ever."""
    try:
        count = len(os.listdir("/proc/self/task"))
    except FileNotFoundError:
        count = threading.active_count()
    if count != 1:
        raise RuntimeError("the zygote has %d threads" % count)


class Zygote:
    """The loop: requests from the host, deaths of children."""

    def __init__(self, control, kernel, program, shim):
        self.control = control
        self.kernel = kernel
        self.program = program
        self.shim = shim
        self.environment = dict(os.environ)
        self.own = os.pidfd_open(os.getpid())  # leads back to the own pid namespace
        self.children = {}  # pidfd → (pid, id)
        self.poll = select.epoll()
        self.poll.register(control, select.EPOLLIN)

    def run(self):
        self.send({"ready": True})
        while True:
            for fd, _ in self.poll.poll():
                if fd != self.control.fileno():
                    self.reap(fd)
                elif not self.receive():
                    return

    def send(self, message, *fds):
        data = json.dumps(message).encode()
        if fds:
            socket.send_fds(self.control, [data], list(fds))
        else:
            self.control.send(data)

    def receive(self):
        """Takes one request; False when the host is gone."""
        try:
            data, fds, flags, _ = socket.recv_fds(self.control, MAX_PACKET, 8)
        except ConnectionError:
            return False
        if not data:
            return False
        try:
            if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                raise ValueError("a packet was cut")
            request = json.loads(data)
            if request.get("op") != "spawn":
                raise ValueError("unknown request %r" % request.get("op"))
            self.spawn(request, fds)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def spawn(self, request, fds):
        try:
            if len(fds) != 4:
                raise ValueError("spawn needs 4 descriptors, not %d" % len(fds))
            pid = self.fork(request, fds)
        except (OSError, ValueError) as exc:
            self.send({"op": "failed", "id": request.get("id"), "error": str(exc)})
            return
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = (pid, request["id"])
        self.poll.register(pidfd, select.EPOLLIN)
        self.send({"op": "spawned", "id": request["id"], "pid": pid}, pidfd)

    def fork(self, request, fds):
        """Forks a child that is the first process of a new pid namespace."""
        self.kernel.call("unshare", CLONE_NEWPID)
        try:
            pid = os.fork()
            if pid == 0:
                child(self, request, fds)
        finally:
            # Without this the next unshare fails: it is that or nothing.
            self.kernel.call("setns", self.own, CLONE_NEWPID)
        return pid

    def reap(self, pidfd):
        pid, name = self.children[pidfd]
        got, status = os.waitpid(pid, os.WNOHANG)
        if got == 0:
            return
        del self.children[pidfd]
        self.poll.unregister(pidfd)
        os.close(pidfd)
        self.send({"op": "exited", "id": name, "status": status})


# -------------------------------------------------------------- the child


def child(zygote, request, fds):
    """Seals this process and serves; never returns."""
    try:
        seal(zygote, request, fds)
        if request.get("rehearse"):
            zygote.shim.rehearse(os.path.join(HERE, "rehearsal"))
        zygote.shim.main(WIRE)
    except BaseException as exc:
        try:
            os.write(STDERR, ("hearth: the sandbox can't be made: %s: %s\n" % (type(exc).__name__, exc)).encode())
        finally:
            os._exit(FAILED)
    os._exit(FAILED)


def seal(zygote, request, fds):
    """Takes everything from this process that a function must not have.

    The order is that of zygote.md and matters: what needs privileges comes
    before the user changes, what adds system calls before the filter.
    """
    call = zygote.kernel.call
    os.setsid()  # signals to a process group cross pid namespaces: siblings must not share one
    call("setns", fds[3], CLONE_NEWNET)
    call("unshare", CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)
    socket.sethostname(request.get("hostname") or "sandbox")
    if request.get("mounts"):
        mount_private(int(request["tmp_mib"]))
    limit(request)
    keep_descriptors(call, fds)
    if request.get("setuid", True):
        become(int(request["uid"]), int(request["gid"]))
    drop_capabilities(call)
    restore_environment(zygote.environment)
    reseed()
    check(prctl(PR_SET_NO_NEW_PRIVS, 1), "set no_new_privs")
    check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(zygote.program)), "install the seccomp filter")


def mount(kind, target, flags, options):
    result = _mount(kind, target, kind, flags, options)
    check(result, "mount %s on %s" % (kind.decode(), target.decode()))


def mount_private(tmp_mib):
    """Gives the process a /tmp, a /dev/shm and a /proc of its own."""
    mount_tmpfs(b"/tmp", tmp_mib << 10)
    if os.path.isdir("/dev/shm"):
        mount_tmpfs(b"/dev/shm", tmp_mib << 8)
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    try:
        mount(b"proc", b"/proc", flags, b"subset=pid,hidepid=2")
    except OSError:  # a kernel before 5.8
        mount(b"proc", b"/proc", flags, b"hidepid=2")


def mount_tmpfs(target, kib):
    # As many files as pages: empty ones take no space, but memory of the kernel.
    mount(b"tmpfs", target, MS_NOSUID | MS_NODEV, b"mode=1777,size=%dk,nr_inodes=%d" % (kib, kib // 4))


def limit(request):
    # What the server may: its own limits would let a function outrun everybody.
    resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
    resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
    nofile = int(request["nofile"])
    resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))
    core = int(request.get("core", 1))
    resource.setrlimit(resource.RLIMIT_CORE, (core, core))
    if request.get("fsize_mib"):
        size = int(request["fsize_mib"]) << 20
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def keep_descriptors(call, fds):
    """Leaves stdin, the two pipes and the wire, and nothing else."""
    wire, stdout, stderr = fds[:3]
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, NULL)
    os.dup2(stdout, STDOUT)
    os.dup2(stderr, STDERR)
    os.dup2(wire, WIRE, inheritable=False)
    call("close_range", WIRE + 1, 0x7FFFFFFF, 0)


def become(uid, gid):
    if uid <= 0 or gid <= 0:
        raise ValueError("a sandbox can't have uid %d and gid %d" % (uid, gid))
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # The change of user hides /proc/self from the process itself; nobody else
    # shares this user or this pid namespace.
    check(prctl(PR_SET_DUMPABLE, 1), "set dumpable")


def drop_capabilities(call):
    check(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL), "clear the ambient capabilities")
    header = ctypes.create_string_buffer(struct.pack("=Ii", CAPABILITY_VERSION, 0), 8)
    call("capset", header, ctypes.create_string_buffer(24))


def restore_environment(environment):
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)


def reseed():
    """Siblings must not draw the same numbers."""
    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def main():
    shim = load_shim()
    preload()
    kernel = Kernel()
    program, buffer = read_filter(FILTER)
    os.close(FILTER)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    drop_bounding_set()
    control = socket.socket(fileno=CONTROL)
    zygote = Zygote(control, kernel, program, shim)
    zygote.buffer = buffer  # the filter's bytes live as long as the zygote
    gc.collect()
    gc.freeze()
    check_single_thread()
    zygote.run()


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)  # the host went away while a death was reported
    except BaseException as exc:
        sys.stderr.write("hearth: the zygote failed: %s: %s\n" % (type(exc).__name__, exc))
        sys.stderr.flush()
        os._exit(FAILED)
    os._exit(0)

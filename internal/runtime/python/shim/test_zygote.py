"""Starts the zygote as the native driver does, without its read-only root, and
looks at the processes it makes. Needs root and namespaces of its own."""

import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

from harness import HELLO, HERE, INVOKE, LOAD, READY, RESULT, TIMEOUT, Stream

# One instruction: allow everything. What a filter forbids is the driver's test.
ALLOW_ALL = struct.pack("=HBBI", 6, 0, 0, 0x7FFF0000)

def open_to_others(path):
    """Whether another user can reach path: the sandbox is one."""
    while True:
        if not os.stat(path).st_mode & 0o001:
            return False
        if path == os.path.dirname(path):
            return True
        path = os.path.dirname(path)


@unittest.skipUnless(os.getuid() == 0, "only root can make the namespaces of a zygote without a driver")
@unittest.skipUnless(open_to_others(os.path.dirname(os.__file__)), "the library of this interpreter is closed to other users, and here no driver mounts it elsewhere")
class ZygoteTest(unittest.TestCase):
    def setUp(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(TIMEOUT)
        self.addCleanup(self.control.close)
        filter_fd = os.memfd_create("filter")
        os.write(filter_fd, ALLOW_ALL)

        def place():
            os.dup2(theirs.fileno(), 20)
            os.dup2(filter_fd, 21)
            os.dup2(20, 3)
            os.dup2(21, 4)
            os.closerange(5, 100)

        # Not in /tmp, which the sandboxes cover, nor in the tree, which may be
        # in somebody's closed home.
        folder = tempfile.mkdtemp(prefix="hearth-zygote-", dir="/var/tmp")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        shim = os.path.join(folder, "shim")
        shutil.copytree(HERE, shim, ignore=shutil.ignore_patterns("test*.py", "__pycache__", "lambda"))
        subprocess.run(["chmod", "-R", "a+rX", shim], check=True)
        self.code = os.path.join(shim, "testdata", "zygote")

        # A mount namespace of its own, so that what it mounts stays there.
        self.zygote = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", sys.executable, "-I", "-S", "-B", os.path.join(shim, "zygote.py")],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=place, close_fds=False,
            cwd="/",  # as in a sandbox; the tree may be in /tmp, which is covered
            env={"LANG": "C.UTF-8", "HOME": "/tmp", "PATH": "/usr/bin:/bin"})
        theirs.close()
        os.close(filter_fd)
        self.addCleanup(self.stop)
        self.assertEqual(self.packet()[0], {"ready": True})

    def stop(self):
        self.control.close()
        try:
            self.zygote.wait(TIMEOUT)
        finally:
            self.zygote.kill()
            self.zygote.wait()
            self.zygote.stderr.close()

    def packet(self):
        data, fds, _, _ = socket.recv_fds(self.control, 65536, 4)
        return json.loads(data) if data else None, fds

    def spawn(self, name="c1", uid=200001, **changes):
        """Asks for a sandbox; returns its wire, its output pipe, its packet and pidfd."""
        request = {"op": "spawn", "id": name, "uid": uid, "gid": uid, "tmp_mib": 16, "hostname": "sandbox", "nofile": 512,
                   "fsize_mib": 0, "core": 0, "rehearse": True, "mounts": True, "setuid": True}
        request.update(changes)
        ours, theirs = socket.socketpair()
        reader, writer = os.pipe()
        net = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            socket.send_fds(self.control, [json.dumps(request).encode()], [theirs.fileno(), writer, writer, net])
        finally:
            theirs.close()
            os.close(writer)
            os.close(net)
        self.addCleanup(os.close, reader)
        wire = Stream(ours)
        self.addCleanup(wire.close)
        message, fds = self.packet()
        for fd in fds:
            self.addCleanup(os.close, fd)
        return wire, reader, message, fds[0] if fds else None

    def look(self, **changes):
        wire, _, message, _ = self.spawn(**changes)
        self.assertEqual(message["op"], "spawned")
        self.assertEqual(wire.read().kind, HELLO)
        return self.load(wire, "look").json()

    def load(self, wire, module):
        wire.send(LOAD, 0, {"function": "f", "version": 1, "handler": module + ".handler", "code": self.code, "concurrency": 1})
        wire.send(INVOKE, 1, {"id": "1", "kind": "json", "deadline_ms": 0})
        self.assertEqual(wire.read().kind, READY)
        frame = wire.read()
        self.assertEqual(frame.kind, RESULT, frame)
        return frame

    def test_the_child_is_sealed(self):
        got = self.look()
        self.assertEqual((got["pid"], got["processes"]), (1, ["1"]))
        self.assertEqual((got["ids"], got["groups"]), ([200001] * 6, []))
        self.assertEqual(got["caps"], ["0" * 16] * 5)
        self.assertEqual((got["nnp"], got["seccomp"]), ("1", "2"))
        self.assertEqual(got["fds"], [0, 1, 2, 3, 4])  # 4 is the listing itself
        self.assertEqual(got["targets"][0], "/dev/null")
        self.assertTrue(got["targets"][3].startswith("socket:"))
        self.assertEqual((got["tmp"], got["tmp_size"]), ([], 16 << 20))
        self.assertEqual((got["nofile"], got["core"]), ([512, 512], [0, 0]))
        self.assertEqual((got["host"], got["inodes"], got["group"]), ("sandbox", 16 * 256, 1))

    def test_the_rehearsal_is_forgotten(self):
        rehearsed, plain = self.look(), self.look(name="c2", uid=200002, rehearse=False)
        for got in (rehearsed, plain):
            self.assertEqual((got["modules"], got["loggers"]), ([], []))
        self.assertEqual((rehearsed["loop"], plain["loop"]), ("done", "done"))
        self.assertEqual(rehearsed["env"], plain["env"])
        self.assertEqual(rehearsed["fds"], plain["fds"])

    def test_siblings_draw_different_numbers(self):
        self.assertNotEqual(self.look()["random"], self.look(name="c2", uid=200002)["random"])

    def test_a_rehearsed_child_faults_little(self):
        wire, _, message, _ = self.spawn()
        self.assertEqual(wire.read().kind, HELLO)
        before = minor_faults(message["pid"])
        self.load(wire, "hello")
        self.assertLessEqual(minor_faults(message["pid"]) - before, 40)

    def test_the_end_of_the_wire_ends_the_child(self):
        wire, _, message, pidfd = self.spawn()
        self.assertEqual(wire.read().kind, HELLO)
        wire.close()
        self.assertEqual(self.packet()[0], {"op": "exited", "id": "c1", "status": 0})
        self.assertTrue(ended(pidfd))

    def test_the_pidfd_kills(self):
        wire, _, message, pidfd = self.spawn()
        self.assertEqual(wire.read().kind, HELLO)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self.assertEqual(self.packet()[0], {"op": "exited", "id": "c1", "status": 9})

    def test_many_live_and_die_at_once(self):
        cells = [self.spawn(name="c%d" % i, uid=200001 + i, rehearse=False) for i in range(8)]
        for wire, _, _, _ in cells:
            self.assertEqual(wire.read().kind, HELLO)
            wire.close()
        self.assertEqual({self.packet()[0]["id"] for _ in cells}, {"c%d" % i for i in range(8)})

    def test_a_seal_that_fails_says_so_and_exits_with_125(self):
        wire, reader, message, _ = self.spawn(uid=0)
        self.assertEqual(message["op"], "spawned")
        self.assertIsNone(wire.read())
        self.assertEqual(self.packet()[0]["status"], 125 << 8)
        self.assertIn(b"uid 0", os.read(reader, 4096))

    def test_a_request_without_descriptors_fails(self):
        self.control.send(json.dumps({"op": "spawn", "id": "c1"}).encode())
        message, _ = self.packet()
        self.assertEqual((message["op"], message["id"]), ("failed", "c1"))

    def test_the_end_of_the_control_socket_ends_the_zygote(self):
        self.control.close()
        self.assertEqual(self.zygote.wait(TIMEOUT), 0)


def minor_faults(pid):
    with open("/proc/%d/stat" % pid) as f:
        return int(f.read().rsplit(")", 1)[1].split()[7])


def ended(pidfd):
    return bool(select.select([pidfd], [], [], TIMEOUT)[0])


if __name__ == "__main__":
    unittest.main()

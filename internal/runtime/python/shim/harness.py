"""What the tests of the shim and the zygote share: the engine's side of the wire."""

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HEADER = struct.Struct(">BBHIII")
HELLO, LOAD, READY, INVOKE, RESULT, CHUNK, CREDIT, ERROR, LOG, CANCEL, PING, PONG = range(1, 13)
END, STREAM = 1, 2
TIMEOUT = 60  # only ever waited for when something is broken


def encode(kind, flags, stream, head=None, body=b""):
    head = b"" if head is None else json.dumps(head).encode()
    return HEADER.pack(kind, flags, 0, stream, len(head), len(body)) + head + body


class Frame:
    def __init__(self, kind, flags, stream, head, body):
        self.kind, self.flags, self.stream, self.body = kind, flags, stream, body
        self.head = json.loads(head) if head else {}

    def __repr__(self):
        return "Frame(%d, %d, %d, %r, %r)" % (self.kind, self.flags, self.stream, self.head, self.body[:200])

    def json(self):
        return json.loads(self.body)


class Stream:
    """The engine's end of one wire."""

    def __init__(self, sock):
        self.sock = sock
        self.sock.settimeout(TIMEOUT)

    def send(self, kind, stream=0, head=None, body=b"", flags=0):
        self.sock.sendall(encode(kind, flags, stream, head, body))

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self.sock.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data

    def read(self):
        """The next frame, None at the end of the stream."""
        header = self._exactly(HEADER.size)
        if header is None:
            return None
        kind, flags, zero, stream, head, body = HEADER.unpack(header)
        assert zero == 0 and kind in range(1, 13), header
        return Frame(kind, flags, stream, self._exactly(head), self._exactly(body))

    def close(self):
        self.sock.close()


class Reply:
    """All that one invocation was answered with."""

    def __init__(self):
        self.logs = []
        self.result = self.error = None
        self.chunks = []

    @property
    def status(self):
        return self.result.head.get("status")

    @property
    def headers(self):
        return self.result.head.get("headers")

    @property
    def body(self):
        return self.result.body + b"".join(self.chunks)

    def json(self):
        return json.loads(self.body)

    def text(self, fd=None):
        return b"".join(f.body for f in self.logs if fd is None or f.head["fd"] == fd).decode()


class Function:
    """A function behind a shim of its own, started as a driver would."""

    def __init__(self, files, handler="main.handler", concurrency=1, env=None, tar=None, code=None):
        self.folder = tempfile.mkdtemp(prefix="hearth-shim-")
        self.code = code or os.path.join(self.folder, "code")
        if tar is None:
            os.makedirs(self.code, exist_ok=True)
        for name, text in (files or {}).items():
            path = os.path.join(self.code, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        ours, theirs = socket.socketpair()
        self.process = start_shim(theirs)
        theirs.close()
        self.wire = Stream(ours)
        self.hello = self.wire.read()
        self.wire.send(LOAD, 0, {
            "function": "hello", "version": 3, "handler": handler, "code": self.code, "memory": 128,
            "timeout_ms": 10000, "concurrency": concurrency, "env": env or {},
        }, tar or b"")
        self.next_stream = 0
        self.load_logs = []
        self.ready = self.load_error = None

    def wait_ready(self):
        while True:
            frame = self.wire.read()
            assert frame is not None, "the shim ended: " + self.process.stderr.read().decode()
            if frame.kind == LOG:
                self.load_logs.append(frame)
            elif frame.kind == ERROR:
                self.load_error = frame.head
                return self
            else:
                assert frame.kind == READY, frame
                self.ready = frame.head
                return self

    def start(self, event=None, http=None, body=None, request_id="01REQUEST", left_ms=10000):
        self.next_stream += 1
        head = {"id": request_id, "deadline_ms": int(time.time() * 1000) + left_ms}
        if http is None:
            head["kind"] = "json"
            body = json.dumps(event).encode() if body is None else body
        else:
            head["kind"] = "http"
            head["http"] = dict(REQUEST, **http)
        self.wire.send(INVOKE, self.next_stream, head, body or b"")
        return self.next_stream

    def collect(self, stream):
        """Reads frames up to the last one of stream, which must be the next to end."""
        reply = Reply()
        while True:
            frame = self.wire.read()
            assert frame is not None, "the shim ended: " + self.process.stderr.read().decode()
            if frame.kind == LOG:
                reply.logs.append(frame)
                continue
            assert frame.stream == stream, frame
            if frame.kind == RESULT:
                reply.result = frame
                if not frame.flags & STREAM:
                    return reply
            elif frame.kind == CHUNK:
                assert reply.result is not None and len(frame.body) <= 64 << 10, frame
                reply.chunks.append(frame.body)
                if frame.flags & END:
                    return reply
            elif frame.kind == ERROR:
                reply.error = frame.head
                return reply
            else:
                raise AssertionError(frame)

    def invoke(self, event=None, **kwargs):
        return self.collect(self.start(event, **kwargs))

    def close(self):
        self.wire.close()
        try:
            self.process.wait(TIMEOUT)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
            shutil.rmtree(self.folder, ignore_errors=True)


REQUEST = {
    "method": "GET", "path": "/", "raw_path": "/fn/hello/", "raw_query": "", "headers": {"Host": ["localhost:8080"]},
    "host": "localhost:8080", "scheme": "http", "protocol": "HTTP/1.1", "source_ip": "127.0.0.1", "route": "$default",
}


def start_shim(theirs):
    def wire_on_3():
        os.dup2(theirs.fileno(), 3)

    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-u", os.path.join(HERE, "shim.py")],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, close_fds=False,
        preexec_fn=wire_on_3, env={"LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin"},
    )

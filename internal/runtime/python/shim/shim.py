"""Runs one function behind one byte stream.

Started as a program, it speaks the wire protocol (internal/wire/protocol.md) on
file descriptor 3: hello, then one load, then any number of invocations. The
zygote imports it instead and calls rehearse() and serve().

Three servers share the same handling of events and replies and differ in who
waits for what:

  Serial    one synchronous handler at a time. No threads, one blocking read,
            one write for each reply: the fast path.
  Looping   asynchronous handlers, on one event loop that lives as long as the
            sandbox does.
  Threaded  synchronous handlers, several at a time.

Nothing here keeps the function from reaching into this module: the engine
trusts nothing that comes over the wire, and the sandbox is the border.
"""

import builtins
import contextvars
import io
import json
import logging
import os
import struct
import sys
import threading
import time
import types
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

# Private references: a function that patches os or time (gevent does) must not
# change how the shim talks to the engine.
_readv, _writev, _exit = os.readv, os.writev, os._exit
_now, _ticks = time.time, time.perf_counter_ns
_loads = json.loads

HELLO, LOAD, READY, INVOKE, RESULT, CHUNK, CREDIT, ERROR, LOG, CANCEL, PING, PONG = range(1, 13)
END, STREAM = 1, 2

_HEADER = struct.Struct(">BBHIII")
_HEADER_SIZE = _HEADER.size
_unpack_header, _pack_header = _HEADER.unpack_from, _HEADER.pack

MAX_HEAD = 1 << 20
MAX_BODY = 16 << 20
MAX_CHUNK = 64 << 10
MAX_LOG = 64 << 10
MAX_PING = 64
FIRST_CREDIT = 256 << 10
_BUFFER = 64 << 10

RUNTIME = "python%d.%d" % sys.version_info[:2]


class ProtocolError(Exception):
    """The engine sent what the protocol doesn't allow. The shim ends."""


class Cancelled(BaseException):
    """Ends a handler in a thread whose invocation was cancelled."""


class ReplyError(Exception):
    """What the handler returned can't be sent. Type names the culprit."""

    def __init__(self, type_name, message):
        super().__init__(message)
        self.type_name = type_name


class LoadError(Exception):
    """The function can't be loaded, for a reason that has its own kind."""

    def __init__(self, kind, type_name, message):
        super().__init__(message)
        self.kind = kind
        self.type_name = type_name


# ---------------------------------------------------------------- the wire


# For each type: the flags it may have, the longest body, and the stream it is
# on: 0 for the sandbox, 1 for an invocation, None for either.
_RULES = {
    HELLO: (0, 0, 0), LOAD: (0, MAX_BODY, 0), READY: (0, 0, 0), INVOKE: (0, MAX_BODY, 1),
    RESULT: (STREAM, MAX_BODY, 1), CHUNK: (END, MAX_CHUNK, 1), CREDIT: (0, 0, 1), ERROR: (0, 0, None),
    LOG: (0, MAX_LOG, None), CANCEL: (0, 0, 1), PING: (0, MAX_PING, 0), PONG: (0, MAX_PING, 0),
}


def _check_header(kind, flags, zero, stream, head_size, body_size):
    rule = _RULES.get(kind)
    if rule is None:
        raise ProtocolError("unknown frame type %d" % kind)
    if flags & ~rule[0] or zero:
        raise ProtocolError("bad flags %#x in a frame of type %d" % (flags, kind))
    if head_size > MAX_HEAD or body_size > rule[1]:
        raise ProtocolError("a frame of type %d with %d + %d bytes is too long" % (kind, head_size, body_size))
    if rule[2] is not None and rule[2] != (stream != 0):
        raise ProtocolError("a frame of type %d on stream %d" % (kind, stream))


def parse_head(head):
    """Returns the object in a frame's head; an empty head is an empty one."""
    if not head:
        return {}
    try:
        value = _loads(head)
    except ValueError as exc:
        raise ProtocolError("a head that isn't JSON: %s" % exc) from None
    if type(value) is not dict:
        raise ProtocolError("a head that isn't an object")
    return value


class Wire:
    """Frames over a file descriptor that stays blocking. Any thread may send."""

    def __init__(self, fd):
        self.fd = fd
        self.lock = threading.RLock()  # held around each frame; Invocation.done changes under it
        self._sending = False
        self._later = []
        self._use(bytearray(_BUFFER))
        self._start = self._end = 0
        self._want = _HEADER_SIZE

    def _use(self, buffer):
        self._buffer = buffer
        self._view = memoryview(buffer)

    def fill(self):
        """Waits for bytes; False at the end of the stream."""
        start, end = self._start, self._end
        size = len(self._buffer)
        if start == end:
            if size > _BUFFER and self._want <= _BUFFER:
                self._use(bytearray(_BUFFER))
            self._start = self._end = end = 0
            if self._want > len(self._buffer):
                self._use(bytearray(self._want))
        elif end == size or size - start < self._want:
            rest = bytes(self._view[start:end])
            if self._want > size:
                self._use(bytearray(self._want))
            self._view[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
            end = len(rest)
        try:
            got = _readv(self.fd, [self._view[end:]])
        except ConnectionError:
            return False
        self._end = end + got
        return got > 0

    def next(self):
        """Returns a whole frame of those read, or None: (type, stream, head, body)."""
        start = self._start
        have = self._end - start
        if have < _HEADER_SIZE:
            self._want = _HEADER_SIZE
            return None
        kind, flags, zero, stream, head_size, body_size = _unpack_header(self._buffer, start)
        _check_header(kind, flags, zero, stream, head_size, body_size)
        total = _HEADER_SIZE + head_size + body_size
        if have < total:
            self._want = total
            return None
        self._want = _HEADER_SIZE
        a = start + _HEADER_SIZE
        b = a + head_size
        self._start = start + total
        view = self._view
        return kind, stream, bytes(view[a:b]), bytes(view[b : start + total])

    def read(self):
        """Waits for a whole frame; None at the end of the stream."""
        while True:
            frame = self.next()
            if frame is not None:
                return frame
            if not self.fill():
                return None

    def send(self, kind, flags, stream, head=b"", body=b""):
        parts = (_pack_header(kind, flags, 0, stream, len(head), len(body)), head, body)
        with self.lock:
            # A signal handler of the function may print while this very thread
            # is half-way through a frame: its frame goes after.
            if self._sending:
                self._later.append(parts)
                return
            self._sending = True
            try:
                self._write(parts)
                while self._later:
                    self._write(self._later.pop(0))
            finally:
                self._sending = False

    def _write(self, parts):
        try:
            sent = _writev(self.fd, parts)
            total = sum(map(len, parts))
            while sent < total:
                rest = memoryview(b"".join(parts))[sent:]
                sent += _writev(self.fd, [rest])
        except OSError:
            _exit(0)  # the engine closed the stream


# ------------------------------------------------------------- the output


class Output(io.TextIOBase):
    """Stands for sys.stdout or sys.stderr: whole lines become log frames."""

    encoding = "utf-8"
    errors = "backslashreplace"
    mode = "w"
    line_buffering = True
    newlines = None

    def __init__(self, journal, fd):
        super().__init__()
        self._journal = journal
        self._fd = fd
        self.name = "<stdout>" if fd == 1 else "<stderr>"
        self.buffer = OutputBytes(self)

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError("write() argument must be str, not %s" % type(text).__name__)
        self._journal.write(self._fd, text)
        return len(text)

    def writable(self):
        return True

    def fileno(self):
        return self._fd

    def reconfigure(self, **_):
        pass

    def close(self):
        pass


class OutputBytes(io.RawIOBase):
    """The bytes side of Output: sys.stdout.buffer."""

    mode = "wb"

    def __init__(self, text):
        super().__init__()
        self._text = text
        self._decoder = None
        self.raw = self
        self.name = text.name

    def write(self, data):
        if self._decoder is None:
            import codecs

            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        data = bytes(data)
        self._text.write(self._decoder.decode(data))
        return len(data)

    def writable(self):
        return True

    def fileno(self):
        return self._text.fileno()

    def close(self):
        pass


class Journal:
    """Sends what the function writes as log frames of the right invocation."""

    def __init__(self, wire):
        self._wire = wire
        self.inflight = {}  # stream → Invocation
        self._idle = Invocation(0)  # output between invocations

    def owner(self):
        """The invocation that the running code belongs to. Call it with the wire's lock."""
        inv = _CURRENT.get()
        if inv is None and len(self.inflight) == 1:
            # A thread that the function started has no context of its own, but
            # there is no doubt whose it is. The copy is safe against changes.
            for inv in tuple(self.inflight.values()):
                break
        if inv is None or inv.done:
            return self._idle
        return inv

    def write(self, fd, text):
        with self._wire.lock:
            inv = self.owner()
            end = text.rfind("\n") + 1
            partial = inv.partial
            if end == 0:
                held = partial.get(fd, "") + text
                while len(held) >= MAX_LOG:  # a line that is too long is cut
                    self._send(inv, b'{"fd":%d,"t":%.3f}' % (fd, _now()), held[: MAX_LOG - 1] + "\n")
                    held = held[MAX_LOG - 1 :]
                partial[fd] = held
                return
            text, rest = partial.get(fd, "") + text[:end], text[end:]
            if rest or fd in partial:
                partial[fd] = rest
            self._send(inv, b'{"fd":%d,"t":%.3f}' % (fd, _now()), text)

    def record(self, level, text):
        """Sends a record of the logging module."""
        with self._wire.lock:
            head = b'{"fd":2,"level":%s,"t":%.3f}' % (json.dumps(level).encode(), _now())
            self._send(self.owner(), head, text + "\n")

    def flush(self, inv):
        """Sends what isn't a whole line yet. Call it with the wire's lock."""
        for fd, text in inv.partial.items():
            if text:
                self._send(inv, b'{"fd":%d,"t":%.3f}' % (fd, _now()), text + "\n")
        inv.partial.clear()

    def flush_idle(self):
        with self._wire.lock:
            self.flush(self._idle)

    def _send(self, inv, head, text):
        data = text.encode("utf-8", "backslashreplace")
        while len(data) > MAX_LOG:
            cut = data.rfind(b"\n", 0, MAX_LOG) + 1
            if cut:
                self._wire.send(LOG, 0, inv.stream, head, data[:cut])
            else:
                cut = MAX_LOG - 1
                while data[cut] & 0xC0 == 0x80:  # not inside a character
                    cut -= 1
                self._wire.send(LOG, 0, inv.stream, head, data[:cut] + b"\n")
            data = data[cut:]
        self._wire.send(LOG, 0, inv.stream, head, data)


class LogHandler(logging.Handler):
    """The handler of the root logger, as a function finds it."""

    def __init__(self, journal):
        super().__init__()
        self._journal = journal

    def emit(self, record):
        try:
            self._journal.record(record.levelname, self.format(record))
        except Exception:
            self.handleError(record)


_basic_config = logging.basicConfig


def _configure_logging(journal):
    """Gives the root logger a handler and the level INFO.

    A plain logging.basicConfig does nothing once there is a handler, which has
    surprised everybody at least once: here its level and format count.
    """
    handler = LogHandler(journal)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)

    def basic_config(**kwargs):
        if root.handlers == [handler]:
            if not kwargs.get("force") and not {"handlers", "stream", "filename"} & kwargs.keys():
                if kwargs.get("level") is not None:
                    root.setLevel(kwargs["level"])
                if kwargs.get("format"):
                    style = kwargs.get("style", "%")
                    handler.setFormatter(logging.Formatter(kwargs["format"], kwargs.get("datefmt"), style))
                return
            root.removeHandler(handler)
        _basic_config(**kwargs)

    basic_config.__name__ = basic_config.__qualname__ = "basicConfig"
    basic_config.__doc__ = _basic_config.__doc__
    logging.basicConfig = basic_config


# -------------------------------------------------------------- the event

_CURRENT = contextvars.ContextVar("hearth_invocation", default=None)


class Invocation:
    """One call, from its invoke frame to its last frame."""

    __slots__ = ("stream", "id", "http", "deadline", "trace", "body", "partial", "done", "started",
                 "credit", "reason", "waiter", "task", "thread", "streaming")

    def __init__(self, stream, head=None, body=b""):
        self.stream = stream
        self.body = body
        self.partial = {}  # fd → text after the last newline
        self.done = False  # the last frame is out; changes under the wire's lock
        self.credit = FIRST_CREDIT
        self.reason = None  # why it was cancelled
        self.waiter = None  # who waits for credit
        self.task = None
        self.thread = None
        self.streaming = False
        self.started = 0
        if head is None:
            return
        self.id = head.get("id", "")
        self.deadline = head.get("deadline_ms") or 0
        self.trace = head.get("trace") or None
        self.http = None
        kind = head.get("kind")
        if kind == "http":
            self.http = head.get("http") or {}
        elif kind != "json":
            raise ProtocolError("an invocation of the unknown kind %r" % (kind,))

    def event(self, function):
        if self.http is None:
            return _loads(self.body) if self.body else None
        return http_event(self.http, self.body, self.id, function)


class Context:
    """The second argument of a handler, with the names that AWS Lambda uses."""

    identity = None
    client_context = None

    def __init__(self, function, inv):
        self.function_name = function.name
        self.function_version = function.version
        self.memory_limit_in_mb = function.memory
        self.invoked_function_arn = function.arn
        self.log_group_name = function.log_group
        self.log_stream_name = function.log_stream
        self.aws_request_id = inv.id
        self.deadline_ms = inv.deadline
        self.trace = inv.trace

    def get_remaining_time_in_millis(self):
        """Milliseconds until the invocation is ended, never below zero."""
        return max(0, int(self.deadline_ms - _now() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return "Context(%s)" % ", ".join("%s=%r" % item for item in sorted(vars(self).items()))


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TEXT_TYPES = frozenset((
    "application/json", "application/javascript", "application/xml", "application/x-www-form-urlencoded",
))


def _is_text(content_type):
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith("+json") or kind.endswith("+xml")


def http_event(http, body, request_id, function):
    """Builds the event of payload format 2.0 from the head of a request."""
    headers = {}
    cookies = None
    for name, values in (http.get("headers") or {}).items():
        name = name.lower()
        if name == "cookie":
            cookies = [c.strip() for v in values for c in v.split(";") if c.strip()]
            headers[name] = "; ".join(cookies)
        else:
            headers[name] = ",".join(values)

    method, path = http.get("method", ""), http.get("path", "")
    query, host = http.get("raw_query", ""), http.get("host", "")
    route = http.get("route") or "$default"
    now = _now()
    t = time.gmtime(now)
    event = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": function.name,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": method,
                "path": path,
                "protocol": http.get("protocol", ""),
                "sourceIp": http.get("source_ip", ""),
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route,
            "stage": "$default",
            "time": "%02d/%s/%d:%02d:%02d:%02d +0000"
            % (t.tm_mday, _MONTHS[t.tm_mon - 1], t.tm_year, t.tm_hour, t.tm_min, t.tm_sec),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        parameters = _query_parameters(query)
        if parameters:
            event["queryStringParameters"] = parameters
    if body:
        event["body"], event["isBase64Encoded"] = _body_text(body, headers.get("content-type", ""))
    return event


def _query_parameters(query):
    from urllib.parse import unquote_plus

    out = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            name, value = unquote_plus(name), unquote_plus(value)
            out[name] = out[name] + "," + value if name in out else value
    return out


def _body_text(body, content_type):
    if _is_text(content_type):
        try:
            return body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    from binascii import b2a_base64

    return b2a_base64(body, newline=False).decode("ascii"), True


# -------------------------------------------------------------- the reply


def _json_default(value):
    kind = type(value)
    if kind.__name__ == "Decimal" and kind.__module__ == "decimal":
        return int(value) if value == value.to_integral_value() and abs(value) < 1 << 53 else float(value)
    raise ReplyError("TypeError", "the handler's reply holds a value of type %s, which JSON can't" % kind.__name__)


_encode = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_json_default
).encode


def _without_nan(value):
    """A copy of value with null for what JSON has no number for."""
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {(_without_nan(k) if isinstance(k, float) else k): _without_nan(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(v) for v in value]
    if type(value).__name__ == "Decimal":
        return _without_nan(float(value))
    return value


def to_json(value):
    """Returns value as JSON in UTF-8; raises ReplyError."""
    try:
        try:
            text = _encode(value)
        except ValueError as exc:
            if "ircular" in str(exc):
                raise ReplyError("ValueError", "the handler's reply, a %s, refers to itself, which JSON can't"
                                 % type(value).__name__) from None
            text = _encode(_without_nan(value))
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError:  # half of a surrogate pair: only an escape can say it
            return json.dumps(_loads(text)).encode("ascii")
    except ReplyError:
        raise
    except RecursionError:
        raise ReplyError("RecursionError", "the handler's reply, a %s, is nested too deeply for JSON"
                         % type(value).__name__) from None
    except (TypeError, ValueError, OverflowError) as exc:
        raise ReplyError(type(exc).__name__, "the handler's reply, a %s, can't be written as JSON: %s"
                         % (type(value).__name__, exc)) from None


_BYTES = (bytes, bytearray, memoryview)
_JSON_HEADERS = {"content-type": ["application/json"]}
_BYTES_HEADERS = {"content-type": ["application/octet-stream"]}
_TEXT_HEADERS = {"content-type": ["text/plain; charset=utf-8"]}


def is_stream(value):
    """Whether value is to be sent item by item."""
    kind = type(value)
    return hasattr(kind, "__next__") or hasattr(kind, "__anext__")


def read_head(reply, default):
    """Returns (status, headers) of a dict with statusCode."""
    status = reply["statusCode"]
    if isinstance(status, str) and status.isdigit():
        status = int(status)
    if isinstance(status, bool) or not isinstance(status, int):
        raise ReplyError("TypeError", "statusCode is %r, not a number" % (status,))
    if not 100 < status < 600:
        raise ReplyError("ValueError", "statusCode is %d, out of range: use 101 to 599" % status)
    headers = {}
    for member in ("headers", "multiValueHeaders"):
        given = reply.get(member) or {}
        if not isinstance(given, dict):
            raise ReplyError("TypeError", "%s is a %s, not a dict" % (member, type(given).__name__))
        for name, value in given.items():
            values = value if isinstance(value, (list, tuple)) else (value,)
            headers[str(name)] = [_header_text(name, v) for v in values]
    cookies = reply.get("cookies")
    if cookies:
        if not isinstance(cookies, (list, tuple)):
            raise ReplyError("TypeError", "cookies is a %s, not a list" % type(cookies).__name__)
        headers.setdefault("set-cookie", []).extend(_header_text("set-cookie", c) for c in cookies)
    for name in headers:
        if name.lower() == "content-type":
            break
    else:
        headers.update(default)
    return status, headers


def _header_text(name, value):
    if value is True or value is False:
        return "true" if value else "false"
    text = str(value)
    if "\r" in text or "\n" in text or "\0" in text:
        raise ReplyError("ValueError", "the header %s holds a line break" % name)
    return text


def _text_bytes(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ReplyError("UnicodeEncodeError", "the body holds half of a surrogate pair, which UTF-8 can't") from None


def read_body(value, is_base64):
    """Returns the bytes of a reply's body."""
    if value is None:
        return b""
    if isinstance(value, str):
        if not is_base64:
            return _text_bytes(value)
        from binascii import a2b_base64

        try:
            return a2b_base64(value)
        except ValueError as exc:
            raise ReplyError("ValueError", "isBase64Encoded is set, but the body isn't base64: %s" % exc) from None
    if isinstance(value, _BYTES):
        return bytes(value)
    return to_json(value)


def read_reply(http, value):
    """Returns (status, headers, body) of a reply; status 0 for a plain event."""
    if not http:
        body = bytes(value) if isinstance(value, _BYTES) else to_json(value)
        return 0, None, body
    if isinstance(value, dict):
        if "statusCode" in value:
            status, headers = read_head(value, _JSON_HEADERS)
            return status, headers, read_body(value.get("body"), value.get("isBase64Encoded"))
        return 200, _JSON_HEADERS, to_json(value)
    if isinstance(value, str):
        return 200, _JSON_HEADERS, _text_bytes(value)
    if isinstance(value, _BYTES):
        return 200, _BYTES_HEADERS, bytes(value)
    return 200, _JSON_HEADERS, to_json(value)


def item_bytes(item):
    """Returns what an item of a stream is sent as."""
    if isinstance(item, str):
        return _text_bytes(item)
    if isinstance(item, _BYTES):
        return bytes(item)
    return to_json(item) + b"\n"


_NOTHING = object()


class StreamStart:
    """Decides, from the reply and its first item, how a stream begins."""

    def __init__(self, inv, reply):
        self.status, self.headers, self.items = 200, None, reply
        self._http = inv.http is not None
        self._open = True
        if isinstance(reply, dict):
            self.items = reply["body"]
            self._open = False
            self.status, self.headers = read_head(reply, _BYTES_HEADERS)

    def first(self, item):
        """Takes the first item, or _NOTHING; returns the bytes to begin with."""
        if self._open and self._http:
            if isinstance(item, dict) and "statusCode" in item and "body" not in item:
                self.status, self.headers = read_head(item, _BYTES_HEADERS)
                return b""
            self.headers = _TEXT_HEADERS if isinstance(item, str) else _BYTES_HEADERS
        return b"" if item is _NOTHING else item_bytes(item)

    def head(self, elapsed):
        if not self._http:
            return b'{"handler_us":%d}' % elapsed
        return to_json({"status": self.status, "headers": self.headers, "handler_us": elapsed})


def _streams(inv, value):
    if is_stream(value):
        return True
    return inv.http is not None and type(value) is dict and "statusCode" in value and is_stream(value.get("body"))


# -------------------------------------------------------------- the errors

_HIDDEN = {os.path.abspath(__file__), __file__}


def hide_frames_of(path):
    """Keeps the frames of one more file out of traces."""
    _HIDDEN.add(path)


def _cut(text, limit):
    data = text.encode("utf-8", "backslashreplace")
    return text if len(data) <= limit else data[:limit].decode("utf-8", "ignore")


def error_head(kind, type_name, message, trace=""):
    return json.dumps({
        "kind": kind,
        "type": _cut(type_name, 256),
        "message": _cut(message, 16 << 10),
        "trace": _cut(trace, 64 << 10),
    }).encode("ascii")


def describe(exc):
    """Returns the message and the trace of an exception, whatever its methods do."""
    try:
        message = str(exc)
    except Exception as failure:
        message = "<%s has no text: its __str__ failed with %s>" % (type(exc).__name__, type(failure).__name__)
    try:
        import traceback

        summary = traceback.TracebackException(type(exc), exc, exc.__traceback__)
        _trim(summary, set())
        trace = "".join(summary.format())
    except Exception:
        trace = "%s: %s\n" % (type(exc).__name__, message)
    return message, trace


def _trim(summary, seen):
    """Takes the frames that aren't the function's out of a trace and its causes."""
    if summary is None or id(summary) in seen:
        return
    seen.add(id(summary))
    if summary.stack is not None:
        summary.stack[:] = [f for f in summary.stack if not _is_hidden(f.filename)]
    _trim(summary.__cause__, seen)
    _trim(summary.__context__, seen)
    for inner in getattr(summary, "exceptions", None) or ():
        _trim(inner, seen)


def _is_hidden(path):
    return path in _HIDDEN or path.startswith("<frozen importlib") or path.endswith("/importlib/__init__.py")


def _exit_status(exc):
    code = exc.code
    if code is None:
        return 0
    return code & 0xFF if isinstance(code, int) else 1


def _exit_message(exc):
    return "the function called sys.exit(%s)" % ("" if exc.code is None else repr(exc.code))


# ---------------------------------------------------------------- loading

_CO_GENERATOR, _CO_COROUTINE, _CO_ITERABLE, _CO_ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


def shape_of(handler):
    """Says how a handler answers: sync, async, generator or async_generator."""
    for _ in range(16):  # a partial of a partial of …
        if hasattr(handler, "func") and hasattr(handler, "keywords"):
            handler = handler.func
        else:
            break
    handler = getattr(handler, "__func__", handler)
    code = getattr(handler, "__code__", None)
    if code is None:
        call = getattr(type(handler), "__call__", None)
        code = getattr(getattr(call, "__func__", call), "__code__", None)
    flags = getattr(code, "co_flags", 0)
    if flags & _CO_ASYNC_GENERATOR:
        return "async_generator"
    if flags & (_CO_COROUTINE | _CO_ITERABLE):
        return "async"
    if flags & _CO_GENERATOR:
        return "generator"
    return "sync"


class Function:
    """The loaded function and what its contexts say."""

    def __init__(self, head):
        self.name = str(head.get("function", ""))
        self.version = str(head.get("version", ""))
        self.handler_name = str(head.get("handler", ""))
        self.code = str(head.get("code", "/code"))
        self.memory = str(head.get("memory", ""))
        self.concurrency = max(1, int(head.get("concurrency") or 1))
        self.env = head.get("env") or {}
        # In the form of AWS, as handlers split it.
        self.arn = "arn:hearth:lambda:local:000000000000:function:%s:%s" % (self.name, self.version)
        self.log_group = "/hearth/%s" % self.name
        self.log_stream = "%s[%s]" % (time.strftime("%Y/%m/%d", time.gmtime()), self.version)
        self.handler = None
        self.shape = "sync"

    def environment(self):
        env = {
            "HEARTH_FUNCTION": self.name,
            "HEARTH_VERSION": self.version,
            "HEARTH_RUNTIME": RUNTIME,
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": self.memory,
            "_HANDLER": self.handler_name,
            "LAMBDA_TASK_ROOT": self.code,
            "HOME": "/tmp",
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
        }
        env.update((str(k), str(v)) for k, v in self.env.items())
        return env

    def enter(self):
        """Makes the process the function's: environment, folder, module path."""
        os.environ.update(self.environment())
        time.tzset()
        os.chdir(self.code)
        sys.path.insert(0, self.code)
        sys.path_importer_cache.pop(self.code, None)  # it may have been cached while it was empty
        sys.argv[:] = [self.handler_name]

    def find(self):
        """Imports the module and finds the handler in it."""
        module, names = self._module()
        handler = module
        for i, name in enumerate(names):
            try:
                handler = getattr(handler, name)
            except AttributeError:
                owner = ".".join([module.__name__.rpartition("function_")[2]] + names[:i])
                raise LoadError("no_handler", "AttributeError",
                                "%s has no %s%s" % (owner, name, _offer(_functions(module)))) from None
        if not callable(handler):
            raise LoadError("no_handler", "TypeError", "%s is a %s, which can't be called"
                            % (self.handler_name, type(handler).__name__))
        self.handler = handler
        self.shape = shape_of(handler)

    def _module(self):
        parts = self.handler_name.replace("/", ".").split(".")
        for i in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:i])
            try:
                return self._import(name), parts[i:]
            except ModuleNotFoundError as exc:
                if not exc.name or not (name + ".").startswith(exc.name + "."):
                    raise  # the module is there and imports one that isn't
        raise LoadError("no_module", "ModuleNotFoundError", "there is no module %s in the code%s"
                        % (".".join(parts[:-1]) or self.handler_name, _offer(_modules(self.code))))

    def _import(self, name):
        """Imports a module of the function, even one named like a module of the
        standard library that the shim itself has loaded (queue.py, email.py)."""
        top, dot, rest = name.partition(".")
        taken = sys.modules.get(top)
        if taken is not None:
            spec = PathFinder.find_spec(top, [self.code])
            if spec is not None and spec.loader is not None and getattr(taken, "__file__", None) != spec.origin:
                alias = "function_" + top
                spec.name = alias
                spec.loader.name = alias
                module = sys.modules[alias] = module_from_spec(spec)
                spec.loader.exec_module(module)
                return import_module(alias + dot + rest) if rest else module
        return import_module(name)


def _offer(names):
    return "; there is " + ", ".join(names) if names else ""


def _functions(module):
    return [n for n, v in sorted(vars(module).items())
            if callable(v) and not n.startswith("_") and getattr(v, "__module__", None) == module.__name__][:10]


def _modules(folder):
    try:
        return sorted(n for n in os.listdir(folder) if n.endswith(".py"))[:10]
    except OSError:
        return []


class ImportTimer:
    """Notes which imports that the function's own files make are slow."""

    SLOW_US = 5000

    def __init__(self, code):
        self._prefix = code.rstrip("/") + "/"
        self._slow = {}
        self._import = builtins.__import__

    def __enter__(self):
        original, prefix, slow = self._import, self._prefix, self._slow

        def timed_import(name, globals=None, locals=None, fromlist=(), level=0):
            start = _ticks()
            try:
                return original(name, globals, locals, fromlist, level)
            finally:
                took = (_ticks() - start) // 1000
                if took >= self.SLOW_US and name and globals:
                    if (globals.get("__file__") or "").startswith(prefix):
                        slow[name] = max(took, slow.get(name, 0))

        builtins.__import__ = timed_import
        return self

    def __exit__(self, *_):
        builtins.__import__ = self._import

    def slowest(self):
        pairs = sorted(self._slow.items(), key=lambda item: -item[1])[:20]
        return [{"module": name, "us": took} for name, took in pairs]


def unpack(data, folder):
    """Unpacks a tar into folder. Members may not leave it."""
    import tarfile

    os.makedirs(folder, exist_ok=True)
    root = os.path.realpath(folder)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for member in archive.getmembers():
            target = os.path.realpath(os.path.join(root, member.name))
            if target != root and not target.startswith(root + "/"):
                raise LoadError("import", "ValueError", "the bundle holds %r, outside of its folder" % member.name)
            if not (member.isfile() or member.isdir() or member.issym()):
                raise LoadError("import", "ValueError", "the bundle holds %r, which isn't a file" % member.name)
            if member.issym():
                link = os.path.realpath(os.path.join(os.path.dirname(target), member.linkname))
                if link != root and not link.startswith(root + "/"):
                    raise LoadError("import", "ValueError", "the bundle links %r to outside of its folder" % member.name)
            member.uid, member.gid = os.getuid(), os.getgid()
            archive.extract(member, root)


# ---------------------------------------------------------------- serving


class Server:
    """What the three servers share: beginning and ending an invocation."""

    def __init__(self, wire, journal, function):
        self.wire = wire
        self.journal = journal
        self.function = function
        self.loop = None

    def begin(self, stream, head, body):
        inv = Invocation(stream, parse_head(head), body)
        self.journal.inflight[stream] = inv
        inv.started = _ticks()
        return inv

    def call(self, inv):
        """Calls the handler; the caller awaits where that is needed."""
        function = self.function
        try:
            event = inv.event(function)
        except (ValueError, RecursionError) as exc:
            raise ReplyError("JSONDecodeError", "the event isn't JSON: %s" % exc) from None
        return function.handler(event, Context(function, inv))

    def finish(self, inv, kind, flags, head, body=b""):
        """Sends the last frame of inv, with its unfinished lines before."""
        with self.wire.lock:
            if inv.partial:
                self.journal.flush(inv)
            inv.done = True
            self.journal.inflight.pop(inv.stream, None)
            self.wire.send(kind, flags, inv.stream, head, body)

    def answer(self, inv, value):
        """Sends a reply that is there as a whole."""
        status, headers, body = read_reply(inv.http is not None, value)
        elapsed = (_ticks() - inv.started) // 1000
        if not status:
            head = b'{"handler_us":%d}' % elapsed
        elif headers is _JSON_HEADERS:
            head = b'{"status":%d,"headers":{"content-type":["application/json"]},"handler_us":%d}' % (status, elapsed)
        else:
            head = to_json({"status": status, "headers": headers, "handler_us": elapsed})
            if len(head) > MAX_HEAD:
                raise ReplyError("ValueError", "the headers are %d bytes, over the limit of %d" % (len(head), MAX_HEAD))
        if len(body) > MAX_BODY:
            raise ReplyError("ValueError", "the body is %d bytes, over the limit of %d" % (len(body), MAX_BODY))
        self.finish(inv, RESULT, 0, head, body)

    def fail(self, inv, exc):
        """Answers with what went wrong, in the handler or after."""
        if isinstance(exc, SystemExit):
            _, trace = describe(exc)
            if not isinstance(exc.code, (int, type(None))):
                self.journal.write(2, "%s\n" % exc.code)
            self.finish(inv, ERROR, 0, error_head("exit", "SystemExit", _exit_message(exc), trace))
            _exit(_exit_status(exc))
        elif isinstance(exc, Cancelled) or inv.reason is not None and type(exc).__name__ == "CancelledError":
            head = error_head("cancelled", "Cancelled", "the invocation was cancelled: %s" % (inv.reason or "cancelled"))
            self.finish(inv, ERROR, 0, head)
        elif type(exc) is ReplyError:
            kind = "handler" if exc.type_name == "JSONDecodeError" else "reply"
            self.finish(inv, ERROR, 0, error_head(kind, exc.type_name, str(exc)))
        else:
            message, trace = describe(exc)
            self.finish(inv, ERROR, 0, error_head("handler", _type_name(exc), message, trace))

    def start_stream(self, inv, start, item):
        data = start.first(item)
        head = start.head((_ticks() - inv.started) // 1000)
        self.wire.send(RESULT, STREAM, inv.stream, head)
        inv.streaming = True
        return data

    def stream(self, inv, value):
        """Sends a streamed reply, waiting for credit as wait() does."""
        start = StreamStart(inv, value)
        items = start.items
        if hasattr(type(items), "__anext__"):
            items = self._drain(items)
        try:
            data = self.start_stream(inv, start, next(items, _NOTHING))
            while True:
                if data:
                    self._chunks(inv, data)
                item = next(items, _NOTHING)
                if item is _NOTHING:
                    break
                self.poll(inv)
                data = item_bytes(item)
        finally:
            _close(items)
        self.finish(inv, CHUNK, END, b"")

    def _chunks(self, inv, data):
        view = memoryview(data)
        while view:
            size = min(len(view), MAX_CHUNK, self.credit(inv))
            self.wire.send(CHUNK, 0, inv.stream, b"", view[:size])
            view = view[size:]
            self.spend(inv, size)

    def spend(self, inv, size):
        inv.credit -= size

    def _drain(self, items):
        """An asynchronous iterator as a synchronous one."""
        loop = self.event_loop()
        try:
            while True:
                try:
                    yield loop.run_until_complete(items.__anext__())
                except StopAsyncIteration:
                    return
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                loop.run_until_complete(close())

    def event_loop(self):
        if self.loop is None:
            import asyncio

            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop

    def pong(self, body):
        self.wire.send(PONG, 0, 0, b"", body)

    def drain(self):
        """Ends what is in flight; most servers have nothing when run returns."""

    def close(self):
        if self.loop is not None:
            self.loop.close()


def _type_name(exc):
    kind = type(exc)
    module = kind.__module__
    if module in ("builtins", "__main__") or not isinstance(module, str):
        return kind.__name__
    return kind.__qualname__


def _close(items):
    close = getattr(items, "close", None)
    if close is not None:
        close()


def _added_credit(head):
    size = parse_head(head).get("bytes")
    if type(size) is not int or not 0 < size < 1 << 40:
        raise ProtocolError("a credit of %r bytes" % (size,))
    return size


class Serial(Server):
    """One synchronous handler at a time, no threads."""

    def run(self):
        wire = self.wire
        while True:
            frame = wire.read()
            if frame is None:
                return
            kind, stream, head, body = frame
            if kind == INVOKE:
                self._invoke(stream, head, body)
            else:
                self._control(frame, None)

    def _invoke(self, stream, head, body):
        inv = self.begin(stream, head, body)
        try:
            value = self.call(inv)
            if hasattr(type(value), "__await__"):
                value = self.event_loop().run_until_complete(value)
            if _streams(inv, value):
                self.stream(inv, value)
            else:
                self.answer(inv, value)
        except ProtocolError:
            raise
        except BaseException as exc:
            self.fail(inv, exc)

    def _control(self, frame, inv):
        kind, stream, head, body = frame
        if kind == PING:
            self.pong(body)
        elif kind == CREDIT:
            added = _added_credit(head)
            if inv is not None and inv.stream == stream:
                inv.credit += added
        elif kind == CANCEL:
            if inv is not None and inv.stream == stream:
                inv.reason = str(parse_head(head).get("reason", ""))
        else:
            raise ProtocolError("a frame of type %d isn't allowed now" % kind)

    def credit(self, inv):
        while inv.credit <= 0:
            frame = self.wire.read()
            if frame is None:
                _exit(0)
            self._control(frame, inv)
            self._check(inv)
        return inv.credit

    def poll(self, inv):
        """Looks for a cancel between the items of a stream, without waiting."""
        from select import select

        while True:
            frame = self.wire.next()
            if frame is None:
                if not select([self.wire.fd], (), (), 0)[0]:
                    break
                if not self.wire.fill():
                    _exit(0)
                continue
            self._control(frame, inv)
        self._check(inv)

    def _check(self, inv):
        if inv.reason is not None:
            raise Cancelled


class Looping(Server):
    """Asynchronous handlers on one event loop."""

    def run(self):
        loop = self.event_loop()
        loop.call_soon(self._frames)
        loop.add_reader(self.wire.fd, self._readable)
        self._failure = None
        loop.run_forever()
        if self._failure is not None:
            raise self._failure

    def _readable(self):
        if self.wire.fill():
            self._frames()
        else:
            self._stop()

    def drain(self):
        for inv in tuple(self.journal.inflight.values()):
            self.loop.run_until_complete(inv.task)

    def _stop(self, failure=None):
        self._failure = failure
        self.loop.remove_reader(self.wire.fd)
        self.loop.stop()

    def _frames(self):
        try:
            while True:
                frame = self.wire.next()
                if frame is None:
                    return
                self._frame(*frame)
        except ProtocolError as exc:
            self._stop(exc)

    def _frame(self, kind, stream, head, body):
        if kind == INVOKE:
            inv = self.begin(stream, head, body)
            inv.task = self.loop.create_task(self._invoke(inv))
        elif kind == PING:
            self.pong(body)
        elif kind == CREDIT:
            added = _added_credit(head)
            inv = self.journal.inflight.get(stream)
            if inv is not None:
                inv.credit += added
                if inv.waiter is not None and not inv.waiter.done():
                    inv.waiter.set_result(None)
        elif kind == CANCEL:
            inv = self.journal.inflight.get(stream)
            if inv is not None and inv.reason is None:
                inv.reason = str(parse_head(head).get("reason", ""))
                inv.task.cancel()
        else:
            raise ProtocolError("a frame of type %d isn't allowed now" % kind)

    async def _invoke(self, inv):
        _CURRENT.set(inv)
        try:
            value = self.call(inv)
            if hasattr(type(value), "__await__"):
                value = await value
            if _streams(inv, value):
                await self._stream(inv, value)
            else:
                self.answer(inv, value)
        except BaseException as exc:
            self.fail(inv, exc)

    async def _stream(self, inv, value):
        start = StreamStart(inv, value)
        items = start.items
        is_async = hasattr(type(items), "__anext__")
        try:
            started = False
            while True:
                if is_async:
                    try:
                        item = await items.__anext__()
                    except StopAsyncIteration:
                        item = _NOTHING
                else:
                    item = next(items, _NOTHING)
                if not started:
                    data = self.start_stream(inv, start, item)
                    started = True
                elif item is not _NOTHING:
                    data = item_bytes(item)
                if item is _NOTHING:
                    break
                await self._chunks(inv, data)
        finally:
            if is_async:
                close = getattr(items, "aclose", None)
                if close is not None:
                    await close()
            else:
                _close(items)
        self.finish(inv, CHUNK, END, b"")

    async def _chunks(self, inv, data):
        view = memoryview(data)
        while view:
            while inv.credit <= 0:
                inv.waiter = self.loop.create_future()
                await inv.waiter
                inv.waiter = None
            size = min(len(view), MAX_CHUNK, inv.credit)
            self.wire.send(CHUNK, 0, inv.stream, b"", view[:size])
            view = view[size:]
            inv.credit -= size


class Threaded(Server):
    """Synchronous handlers, several at a time, each in a thread."""

    def __init__(self, wire, journal, function):
        super().__init__(wire, journal, function)
        import ctypes
        from queue import SimpleQueue

        self._queue = SimpleQueue()
        self._free = 0
        self._started = 0
        self._state = threading.Condition()
        self._raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        self._raise_in.argtypes = (ctypes.c_ulong, ctypes.c_void_p)
        self._cancelled = ctypes.c_void_p(id(Cancelled))
        self._local = threading.local()

    def run(self):
        while True:
            frame = self.wire.read()
            if frame is None:
                return
            self._frame(*frame)

    def _frame(self, kind, stream, head, body):
        if kind == INVOKE:
            self._start(self.begin(stream, head, body))
        elif kind == PING:
            self.pong(body)
        elif kind == CREDIT:
            added = _added_credit(head)
            with self._state:
                inv = self.journal.inflight.get(stream)
                if inv is not None:
                    inv.credit += added
                    self._state.notify_all()
        elif kind == CANCEL:
            self._cancel(stream, str(parse_head(head).get("reason", "")))
        else:
            raise ProtocolError("a frame of type %d isn't allowed now" % kind)

    def _start(self, inv):
        with self._state:
            if self._free <= 0 and self._started < self.function.concurrency:
                self._started += 1
                threading.Thread(target=self._work, name="hearth-%d" % self._started, daemon=True).start()
            else:
                self._free -= 1
        self._queue.put(inv)

    def _cancel(self, stream, reason):
        with self._state:
            inv = self.journal.inflight.get(stream)
            if inv is None or inv.reason is not None:
                return
            inv.reason = reason
            self._state.notify_all()
            if inv.thread is not None:
                self._raise_in(inv.thread, self._cancelled)

    def _work(self):
        while True:
            inv = self._queue.get()
            _CURRENT.set(inv)
            self._handle(inv)
            _CURRENT.set(None)
            with self._state:
                self._free += 1

    def _handle(self, inv):
        failure = value = None
        try:
            with self._state:
                inv.thread = threading.get_ident()
                if inv.reason is not None:
                    raise Cancelled
            value = self.call(inv)
            if hasattr(type(value), "__await__"):
                value = self.event_loop().run_until_complete(value)
            if _streams(inv, value):
                self.stream(inv, value)
                value = _NOTHING
        except BaseException as exc:
            failure = exc
        self._calm(inv)
        try:
            if failure is not None:
                self.fail(inv, failure)
            elif value is not _NOTHING:
                self.answer(inv, value)
        except BaseException as exc:
            self.fail(inv, exc)

    def _calm(self, inv):
        """From here on a cancel no longer reaches this thread."""
        while True:
            try:
                with self._state:
                    thread, inv.thread = inv.thread, None
                    if thread is not None:
                        self._raise_in(thread, None)
                return
            except Cancelled:
                continue

    def event_loop(self):
        loop = getattr(self._local, "loop", None)
        if loop is None:
            import asyncio

            loop = self._local.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
        return loop

    def credit(self, inv):
        with self._state:
            while inv.credit <= 0 and inv.reason is None:
                self._state.wait()
        self.poll(inv)
        return inv.credit

    def spend(self, inv, size):
        with self._state:
            inv.credit -= size

    def poll(self, inv):
        if inv.reason is not None:
            raise Cancelled


# ------------------------------------------------------------- the program


def load(wire, journal):
    """Reads the load frame and answers it. None when there is nothing to serve."""
    while True:
        frame = wire.read()
        if frame is None:
            return None
        kind, _, head, body = frame
        if kind == LOAD:
            break
        if kind != PING:
            raise ProtocolError("a frame of type %d before load" % kind)
        wire.send(PONG, 0, 0, b"", body)

    function = Function(parse_head(head))
    try:
        if body:
            unpack(body, function.code)
        function.enter()
        started = _ticks()
        with ImportTimer(function.code) as timer:
            function.find()
        import_us = (_ticks() - started) // 1000
    except BaseException as exc:
        journal.flush_idle()
        wire.send(ERROR, 0, 0, _load_error(exc))
        if isinstance(exc, SystemExit):
            _exit(_exit_status(exc))
        while wire.read() is not None:  # nothing more to say
            pass
        return None
    journal.flush_idle()
    slow = timer.slowest()
    if slow:
        wire.send(READY, 0, 0, to_json({"import_us": import_us, "slow": slow, "shape": function.shape}))
    else:
        wire.send(READY, 0, 0, b'{"import_us":%d,"slow":[],"shape":"%s"}' % (import_us, function.shape.encode()))
    return function


def _load_error(exc):
    if isinstance(exc, LoadError):
        return error_head(exc.kind, exc.type_name, str(exc))
    message, trace = describe(exc)
    if isinstance(exc, SystemExit):
        return error_head("exit", "SystemExit", _exit_message(exc), trace)
    return error_head("import", _type_name(exc), message, trace)


def hello(fd):
    version = "%d.%d.%d" % sys.version_info[:3]
    head = {"protocol": 1, "runtime": RUNTIME, "version": version, "features": ["stream", "concurrency"]}
    Wire(fd).send(HELLO, 0, 0, to_json(head))


def serve(fd, patient=False):
    """Speaks the protocol after hello, until the engine closes the stream.

    A patient server then still ends what it has begun.
    """
    wire = Wire(fd)
    journal = Journal(wire)
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__ = Output(journal, 1), Output(journal, 2)
    _configure_logging(journal)
    function = load(wire, journal)
    if function is None:
        return
    if function.shape.startswith("async"):
        kind = Looping
    elif function.concurrency > 1:
        kind = Threaded
    else:
        kind = Serial
    server = kind(wire, journal, function)
    server.run()
    if patient:
        server.drain()
    server.close()


def rehearse(folder):
    """Runs the very path of a load and a first call, with handlers of our own.

    What the cell touches on the way (the module machinery, the compiler, the
    memory of a first call) is its own by the time a function comes. Then all
    of it is forgotten: modules, path, environment, output.
    """
    import socket

    environment, cwd, path, argv = dict(os.environ), os.getcwd(), list(sys.path), list(sys.argv)
    streams = sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__
    for module in ("rehearsal_sync", "rehearsal_async"):
        ours, theirs = socket.socketpair()
        with ours, theirs:
            _rehearse(ours.fileno(), module, folder)
            ours.shutdown(socket.SHUT_WR)
            serve(theirs.fileno(), patient=True)  # what it answers stays in the socket's buffer
        sys.modules.pop(module, None)
    _forget_event_loop()
    sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__ = streams
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path[:], sys.argv[:] = path, argv
    sys.path_importer_cache.pop(folder, None)
    root = logging.getLogger()
    root.handlers.clear()
    for name in [n for n in root.manager.loggerDict if n.startswith("rehearsal_")]:
        del root.manager.loggerDict[name]
    logging.basicConfig = _basic_config


def _forget_event_loop():
    """Lets the function find no event loop: asyncio.get_event_loop() makes its own.

    Without this it would get the closed one of the rehearsal. Only a new policy
    forgets that there ever was one.
    """
    import asyncio
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.14
        asyncio.set_event_loop_policy(None)


def _rehearse(fd, module, folder):
    """Writes the frames of a load and two calls, an HTTP event and a JSON event."""
    wire = Wire(fd)
    load_head = {
        "function": "rehearsal", "version": 1, "handler": module + ".handler", "code": folder,
        "memory": 128, "timeout_ms": 1000, "concurrency": 1, "env": {},
    }
    request = {
        "method": "POST", "path": "/", "raw_path": "/fn/rehearsal/", "raw_query": "name=a+b&c=%20",
        "headers": {"Content-Type": ["application/json"], "Cookie": ["a=1"], "User-Agent": ["rehearsal"]},
        "host": "localhost", "scheme": "http", "protocol": "HTTP/1.1", "source_ip": "127.0.0.1", "route": "$default",
    }
    deadline = int(_now() * 1000) + 1000
    wire.send(LOAD, 0, 0, to_json(load_head))
    for stream in (1, 3):
        wire.send(INVOKE, 0, stream, to_json({"id": "0", "kind": "http", "deadline_ms": deadline, "http": request}), b'{"a":[1,2]}')
        wire.send(INVOKE, 0, stream + 1, to_json({"id": "0", "kind": "json", "deadline_ms": deadline}), b'{"key1":"value1","n":[1,2.5,null]}')


def main(fd=3):
    """Serves one function, then ends the process without further ado."""
    # Whatever the function imports as __main__ is not this program.
    sys.modules["__main__"] = types.ModuleType("__main__")
    status = 0
    try:
        os.set_inheritable(fd, False)  # what the function starts doesn't get the wire
        hello(fd)
        serve(fd)
    except SystemExit as exc:
        status = _exit_status(exc)
    except BaseException as exc:
        os.write(2, ("hearth: the shim failed: %s" % describe(exc)[1]).encode("utf-8", "replace"))
        status = 1
    finally:
        _exit(status)


if __name__ == "__main__":
    sys.modules["hearth_shim"] = sys.modules["__main__"]
    main()

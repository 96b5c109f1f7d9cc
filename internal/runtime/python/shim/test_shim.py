"""Starts the shim as a driver does and holds it to internal/wire/protocol.md."""

import io
import os
import signal
import subprocess
import sys
import tarfile
import unittest

from harness import CANCEL, CREDIT, ERROR, LOG, PING, PONG, RESULT, STREAM, TIMEOUT, Function, HERE

CREDIT_AT_START = 256 << 10


class ShimTest(unittest.TestCase):
    def function(self, source, **kwargs):
        """A loaded function whose main.py is source."""
        return self.folder({"main.py": source}, **kwargs)

    def folder(self, files, **kwargs):
        f = Function(files, **kwargs)
        self.addCleanup(f.close)
        return f.wait_ready()

    def lambda_fixture(self, name):
        f = Function({}, handler=name + ".lambda_handler", code=os.path.join(HERE, "testdata", "lambda"))
        self.addCleanup(f.close)
        f.wait_ready()
        self.assertIsNone(f.load_error)
        return f


class Loading(ShimTest):
    def test_hello_says_what_this_is(self):
        f = self.function("def handler(e, c): return 1")
        self.assertEqual(f.hello.head["protocol"], 1)
        self.assertEqual(f.hello.head["runtime"], "python%d.%d" % sys.version_info[:2])
        self.assertEqual(f.hello.head["version"], "%d.%d.%d" % sys.version_info[:3])
        self.assertEqual(f.hello.head["features"], ["stream", "concurrency"])

    def test_shapes(self):
        for shape, source in {
            "sync": "def handler(e, c): return 1",
            "async": "async def handler(e, c): return 1",
            "generator": "def handler(e, c): yield 1",
            "async_generator": "async def handler(e, c): yield 1",
        }.items():
            with self.subTest(shape):
                self.assertEqual(self.function(source).ready["shape"], shape)
        partial = "import functools\nasync def f(x, e, c): return x\nhandler = functools.partial(f, 5)"
        f = self.function(partial)
        self.assertEqual(f.ready["shape"], "async")
        self.assertEqual(f.invoke().json(), 5)

    def test_handlers_in_packages(self):
        files = {"pkg/__init__.py": "", "pkg/mod.py": "def fn(e, c): return __name__\nclass A:\n    @staticmethod\n    def fn(e, c): return 'A'",
                 "plain/mod.py": "def fn(e, c): return __name__"}
        for handler, want in {"pkg.mod.fn": "pkg.mod", "pkg/mod.fn": "pkg.mod", "plain/mod.fn": "plain.mod", "pkg.mod.A.fn": "A"}.items():
            with self.subTest(handler):
                f = self.folder(files, handler=handler)
                self.assertIsNone(f.load_error)
                self.assertEqual(f.invoke().json(), want)

    def test_a_module_named_like_one_of_the_standard_library(self):
        f = self.folder({"json.py": "import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int = 3\ndef handler(e, c): return P().x"}, handler="json.handler")
        self.assertIsNone(f.load_error)
        self.assertEqual(f.invoke().json(), 3)

    def test_the_code_is_first_on_the_path_and_the_working_directory(self):
        f = self.folder({"main.py": "import helper, sys, os\ndef handler(e, c): return [helper.X, sys.path[0], os.getcwd(), open('data.txt').read()]",
                         "helper.py": "X = 7", "data.txt": "data"})
        self.assertEqual(f.invoke().json(), [7, f.code, f.code, "data"])

    def test_environment(self):
        f = self.function("import os\ndef handler(e, c): return dict(os.environ)", env={"GREETING": "grüß dich"})
        env = f.invoke().json()
        want = {"GREETING": "grüß dich", "HEARTH_FUNCTION": "hello", "HEARTH_VERSION": "3", "_HANDLER": "main.handler",
                "HEARTH_RUNTIME": f.hello.head["runtime"], "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128", "LAMBDA_TASK_ROOT": f.code,
                "HOME": "/tmp", "TMPDIR": "/tmp", "TZ": "UTC", "LANG": "C.UTF-8"}
        self.assertEqual({k: env.get(k) for k in want}, want)

    def test_no_module(self):
        f = self.folder({"app.py": "def handler(e, c): pass"})
        self.assertEqual(f.load_error["kind"], "no_module")
        self.assertEqual(f.load_error["type"], "ModuleNotFoundError")
        self.assertIn("app.py", f.load_error["message"])

    def test_no_handler(self):
        f = self.function("def other(e, c): pass")
        self.assertEqual(f.load_error["kind"], "no_handler")
        self.assertIn("main has no handler", f.load_error["message"])
        self.assertIn("other", f.load_error["message"])

    def test_a_handler_that_cannot_be_called(self):
        f = self.function("handler = {'a': 1}")
        self.assertEqual(f.load_error["kind"], "no_handler")
        self.assertIn("dict", f.load_error["message"])

    def test_a_module_that_throws(self):
        f = self.function("import json\ndef boom():\n    raise RuntimeError('at import')\nboom()\ndef handler(e, c): pass")
        self.assertEqual((f.load_error["kind"], f.load_error["type"], f.load_error["message"]), ("import", "RuntimeError", "at import"))
        self.assertIn('main.py", line 3, in boom', f.load_error["trace"])
        self.assertNotIn("shim.py", f.load_error["trace"])
        self.assertNotIn("importlib", f.load_error["trace"])

    def test_a_syntax_error_names_file_and_line(self):
        f = self.function("def handler(e, c):\n    return (\n")
        self.assertEqual((f.load_error["kind"], f.load_error["type"]), ("import", "SyntaxError"))
        self.assertRegex(f.load_error["trace"], r'main\.py", line \d')

    def test_an_import_that_is_missing_inside_the_module(self):
        f = self.function("import requests_that_is_not_there\ndef handler(e, c): pass")
        self.assertEqual((f.load_error["kind"], f.load_error["type"]), ("import", "ModuleNotFoundError"))
        self.assertIn("requests_that_is_not_there", f.load_error["message"])

    def test_exit_while_importing(self):
        f = self.function("import sys\nprint('bye')\nsys.exit(4)")
        self.assertEqual(f.load_error["kind"], "exit")
        self.assertEqual(f.process.wait(TIMEOUT), 4)
        self.assertEqual(f.load_logs[0].body, b"bye\n")

    def test_after_a_failed_load_nothing_is_answered(self):
        f = self.function("1/0")
        f.start({})
        f.wire.sock.shutdown(1)
        self.assertIsNone(f.wire.read())

    def test_slow_imports_are_named(self):
        f = self.folder({"main.py": "import slow\nimport json\ndef handler(e, c): pass",
                         "slow.py": "import time\nt = time.monotonic()\nwhile time.monotonic() < t + 0.03: pass"})
        self.assertEqual([s["module"] for s in f.ready["slow"] if s["module"] == "slow"], ["slow"])
        self.assertGreaterEqual(f.ready["import_us"], 30000)

    def test_code_by_wire(self):
        f = Function(None, tar=tar_of({"main.py": b"import lib.x\ndef handler(e, c): return lib.x.X", "lib/x.py": b"X = 1"}))
        self.addCleanup(f.close)
        self.assertEqual(f.wait_ready().invoke().json(), 1)

    def test_code_by_wire_stays_in_its_folder(self):
        for name in ("../evil.py", "/tmp/hearth-evil.py"):
            with self.subTest(name):
                f = Function(None, tar=tar_of({name: b"x"}))
                self.addCleanup(f.close)
                self.assertIn("outside", f.wait_ready().load_error["message"])
                self.assertFalse(os.path.exists(os.path.join(f.folder, "evil.py")) or os.path.exists("/tmp/hearth-evil.py"))

    def test_invocations_may_follow_the_load_at_once(self):
        f = Function({"main.py": "def handler(e, c): return e"})
        self.addCleanup(f.close)
        stream = f.start("early")
        f.wait_ready()
        self.assertEqual(f.collect(stream).json(), "early")


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


class PlainEvents(ShimTest):
    def test_any_json_goes_in_and_out(self):
        f = self.function("def handler(e, c): return e")
        for value in (None, True, 0, -1.5, "ü€😀", [], {}, {"a": [1, {"b": None}]}, "x" * 300000):
            reply = f.invoke(value)
            self.assertEqual(reply.json(), value)
            self.assertIsNone(reply.headers)
        self.assertGreaterEqual(reply.result.head["handler_us"], 0)

    def test_an_empty_body_is_null(self):
        f = self.function("def handler(e, c): return [e]")
        self.assertEqual(f.invoke(body=b"").json(), [None])

    def test_bytes_are_sent_raw(self):
        f = self.function("def handler(e, c): return bytearray(b'\\x00\\xff')")
        self.assertEqual(f.invoke().body, b"\x00\xff")

    def test_a_dict_with_a_status_code_is_plain_json(self):
        f = self.function("def handler(e, c): return {'statusCode': 404, 'body': 'x'}")
        self.assertEqual(f.invoke().json(), {"statusCode": 404, "body": "x"})

    def test_what_json_lacks_becomes_null(self):
        f = self.function("from decimal import Decimal\ndef handler(e, c): return {'a': [float('nan'), float('inf'), 1.5], 'd': Decimal('2.5'), 'n': Decimal(3)}")
        self.assertEqual(f.invoke().json(), {"a": [None, None, 1.5], "d": 2.5, "n": 3})

    def test_half_a_surrogate_pair(self):
        f = self.function("def handler(e, c): return '\\ud83d'")
        self.assertEqual(f.invoke().body, b'"\\ud83d"')

    def test_replies_that_json_cannot_hold(self):
        for source, word in {
            "{'a': {1, 2}}": "set", "lambda: 1": "function", "{(1, 2): 3}": "tuple", "object()": "object",
            "(lambda a: (a.append(a), a)[1])([])": "list",
        }.items():
            with self.subTest(source):
                error = self.function("def handler(e, c): return " + source).invoke().error
                self.assertEqual(error["kind"], "reply")
                self.assertIn(word, error["message"])

    def test_the_context(self):
        f = self.function("def handler(e, c): return [c.function_name, c.function_version, c.memory_limit_in_mb, c.aws_request_id, c.invoked_function_arn, c.identity, c.client_context, c.get_remaining_time_in_millis(), c.deadline_ms > 0, c.trace]")
        got = f.invoke(request_id="01ID", left_ms=5000).json()
        self.assertEqual(got[:7], ["hello", "3", "128", "01ID", "arn:hearth:lambda:local:000000000000:function:hello:3", None, None])
        self.assertTrue(0 < got[7] <= 5000)

    def test_an_overrun_leaves_no_negative_time(self):
        f = self.function("def handler(e, c): return c.get_remaining_time_in_millis()")
        self.assertEqual(f.invoke(left_ms=-1000).json(), 0)

    def test_state_is_kept_between_calls(self):
        f = self.function("n = 0\ndef handler(e, c):\n    global n\n    n += 1\n    return n")
        self.assertEqual([f.invoke().json() for _ in range(3)], [1, 2, 3])

    def test_a_sync_handler_may_return_a_coroutine(self):
        f = self.function("async def work(): return 5\ndef handler(e, c): return work()")
        self.assertEqual(f.invoke().json(), 5)

    def test_asyncio_run_in_a_sync_handler(self):
        f = self.function("import asyncio\nasync def work():\n    await asyncio.sleep(0)\n    return 6\ndef handler(e, c): return asyncio.run(work())")
        self.assertEqual([f.invoke().json(), f.invoke().json()], [6, 6])

    def test_stdin_is_empty(self):
        f = self.function("import sys\ndef handler(e, c): return sys.stdin.read()")
        self.assertEqual(f.invoke().json(), "")


class HTTPEvents(ShimTest):
    ECHO = "def handler(e, c): return {'statusCode': 200, 'body': e}"

    def test_the_event(self):
        f = self.function(self.ECHO)
        event = f.invoke(http={
            "method": "POST", "path": "/a b", "raw_query": "x=1&y=2&x=3&empty=&sp=a+b%21", "route": "POST /a*", "source_ip": "10.0.0.9",
            "host": "api.example.com", "headers": {"Host": ["api.example.com"], "Accept": ["a", "b"], "Cookie": ["k=v; l=w", "m=x"],
                                                    "User-Agent": ["curl/8"], "Content-Type": ["application/json; charset=utf-8"]},
        }, body='{"ü":1}'.encode(), request_id="01ID").json()
        context = event.pop("requestContext")
        self.assertEqual(event, {
            "version": "2.0", "routeKey": "POST /a*", "rawPath": "/a b", "rawQueryString": "x=1&y=2&x=3&empty=&sp=a+b%21",
            "cookies": ["k=v", "l=w", "m=x"],
            "headers": {"host": "api.example.com", "accept": "a,b", "cookie": "k=v; l=w; m=x", "user-agent": "curl/8",
                        "content-type": "application/json; charset=utf-8"},
            "queryStringParameters": {"x": "1,3", "y": "2", "empty": "", "sp": "a b!"},
            "body": '{"ü":1}', "isBase64Encoded": False,
        })
        self.assertRegex(context.pop("time"), r"^\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000$")
        self.assertGreater(context.pop("timeEpoch"), 1_600_000_000_000)
        self.assertEqual(context, {
            "accountId": "anonymous", "apiId": "hello", "domainName": "api.example.com", "domainPrefix": "api", "requestId": "01ID",
            "routeKey": "POST /a*", "stage": "$default",
            "http": {"method": "POST", "path": "/a b", "protocol": "HTTP/1.1", "sourceIp": "10.0.0.9", "userAgent": "curl/8"},
        })

    def test_what_is_absent(self):
        event = self.function(self.ECHO).invoke(http={}).json()
        for member in ("cookies", "queryStringParameters", "body"):
            self.assertNotIn(member, event)

    def test_bodies_are_text_or_base64(self):
        f = self.function(self.ECHO)
        for content_type, body, want, is_base64 in (
            ("text/plain", b"hi", "hi", False), ("application/problem+json", b"{}", "{}", False), ("image/svg+xml", b"<a/>", "<a/>", False),
            ("application/x-www-form-urlencoded", b"a=b", "a=b", False), ("text/plain", b"\xff", "/w==", True),
            ("application/octet-stream", b"hi", "aGk=", True), (None, b"hi", "aGk=", True),
        ):
            with self.subTest(content_type):
                event = f.invoke(http={"headers": {"Content-Type": [content_type]} if content_type else {}}, body=body).json()
                self.assertEqual((event["body"], event["isBase64Encoded"]), (want, is_base64))

    def reply(self, expression):
        return self.function("def handler(e, c): return " + expression).invoke(http={})

    def test_replies(self):
        json_type = {"content-type": ["application/json"]}
        for expression, status, headers, body in (
            ("{'statusCode': 201, 'body': 'made'}", 201, json_type, b"made"),
            ("{'statusCode': '202'}", 202, json_type, b""),
            ("{'statusCode': 200, 'body': {'a': 1}}", 200, json_type, b'{"a":1}'),
            ("{'statusCode': 200, 'headers': {'Content-Type': 'text/html', 'X-N': 5}, 'body': 'h'}", 200, {"Content-Type": ["text/html"], "X-N": ["5"]}, b"h"),
            ("{'statusCode': 200, 'headers': {'x': ['1', '2']}, 'multiValueHeaders': {'y': ['3']}}", 200, {"x": ["1", "2"], "y": ["3"], **json_type}, b""),
            ("{'statusCode': 200, 'cookies': ['a=1', 'b=2']}", 200, {"set-cookie": ["a=1", "b=2"], **json_type}, b""),
            ("{'statusCode': 200, 'body': '/wA=', 'isBase64Encoded': True}", 200, json_type, b"\xff\x00"),
            ("{'statusCode': 200, 'body': b'\\xff'}", 200, json_type, b"\xff"),
            ("b'\\xff'", 200, {"content-type": ["application/octet-stream"]}, b"\xff"),
            ("'plain'", 200, json_type, b"plain"),
            ("None", 200, json_type, b"null"),
            ("{'a': 1}", 200, json_type, b'{"a":1}'),
            ("[1]", 200, json_type, b"[1]"),
        ):
            with self.subTest(expression):
                reply = self.reply(expression)
                self.assertIsNone(reply.error)
                self.assertEqual((reply.status, reply.headers, reply.body), (status, headers, body))

    def test_replies_that_cannot_be_sent(self):
        for expression, word in {
            "{'statusCode': 42}": "42", "{'statusCode': 600}": "600", "{'statusCode': 100}": "100", "{'statusCode': 'x'}": "statusCode",
            "{'statusCode': 200, 'headers': 5}": "headers", "{'statusCode': 200, 'headers': {'a': 'b\\r\\nc: d'}}": "line break",
            "{'statusCode': 200, 'body': 'a', 'isBase64Encoded': True}": "base64", "{'statusCode': 200, 'cookies': 'a=b'}": "cookies",
            "{'statusCode': 200, 'body': {1}}": "set", "'x' * (16 * 1024 * 1024 + 1)": "limit",
        }.items():
            with self.subTest(expression):
                error = self.reply(expression).error
                self.assertEqual(error["kind"], "reply")
                self.assertIn(word, error["message"])


class Streams(ShimTest):
    def test_generators(self):
        for source in ("def handler(e, c):", "async def handler(e, c):"):
            with self.subTest(source):
                reply = self.function(source + "\n    print('log')\n    yield 'ü'\n    yield b'\\xff'\n    yield {'a': 1}").invoke(http={})
                self.assertTrue(reply.result.flags & STREAM)
                self.assertEqual(reply.headers, {"content-type": ["text/plain; charset=utf-8"]})
                self.assertEqual(reply.body, 'ü'.encode() + b"\xff" + b'{"a":1}\n')
                self.assertEqual(reply.text(), "log\n")

    def test_the_first_item_may_be_the_head(self):
        reply = self.function("def handler(e, c):\n    yield {'statusCode': 206, 'headers': {'X-A': 'b'}}\n    yield b'x'").invoke(http={})
        self.assertEqual((reply.status, reply.headers, reply.body), (206, {"X-A": ["b"], "content-type": ["application/octet-stream"]}, b"x"))

    def test_a_dict_may_have_a_streaming_body(self):
        reply = self.function("def handler(e, c):\n    return {'statusCode': 203, 'headers': {'content-type': 'text/csv'}, 'body': ('%d\\n' % i for i in range(3))}").invoke(http={})
        self.assertEqual((reply.status, reply.headers, reply.body), (203, {"content-type": ["text/csv"]}, b"0\n1\n2\n"))

    def test_an_empty_stream(self):
        reply = self.function("def handler(e, c):\n    return\n    yield").invoke(http={})
        self.assertEqual((reply.status, reply.body, reply.error), (200, b"", None))

    def test_plain_events_stream_too(self):
        reply = self.function("def handler(e, c):\n    yield 1\n    yield 'a'").invoke()
        self.assertEqual((reply.headers, reply.body), (None, b"1\na"))

    def test_an_exception_before_the_first_item_is_an_error(self):
        reply = self.function("def handler(e, c):\n    raise ValueError('no')\n    yield").invoke(http={})
        self.assertIsNone(reply.result)
        self.assertEqual(reply.error["type"], "ValueError")

    def test_a_stream_that_breaks(self):
        for source in ("def handler(e, c):", "async def handler(e, c):"):
            reply = self.function(source + "\n    yield 'a'\n    raise ValueError('half-way')").invoke(http={})
            self.assertEqual((reply.body, reply.error["kind"], reply.error["message"]), (b"a", "handler", "half-way"))

    def test_the_shim_waits_for_credit(self):
        body = "\n    for i in range(10): yield b'x' * 100000"
        for source, concurrency in (("def", 1), ("async def", 1), ("def", 4)):
            with self.subTest(source, concurrency=concurrency):
                f = self.function(source + " handler(e, c):" + body, concurrency=concurrency)
                stream = f.start(http={})
                got, result = 0, f.wire.read()
                self.assertEqual(result.kind, RESULT)
                while got < CREDIT_AT_START:
                    got += len(f.wire.read().body)
                self.assertEqual(got, CREDIT_AT_START)
                f.wire.send(PING, 0, None, b"still?")
                self.assertEqual(f.wire.read().kind, PONG)  # and no chunk before it
                f.wire.send(CREDIT, stream, {"bytes": 1 << 20})
                while True:
                    frame = f.wire.read()
                    got += len(frame.body)
                    if frame.flags:
                        break
                self.assertEqual(got, 1_000_000)

    def test_a_stream_is_cancelled_between_items(self):
        for source, concurrency in (("def", 1), ("async def", 1), ("def", 4)):
            with self.subTest(source, concurrency=concurrency):
                f = self.function(source + " handler(e, c):\n    try:\n        while True: yield b'x' * 65536\n    finally:\n        print('closed')", concurrency=concurrency)
                stream = f.start(http={})
                self.assertEqual(f.wire.read().kind, RESULT)
                f.wire.send(CANCEL, stream, {"reason": "client went away"})
                kinds = []
                while ERROR not in kinds:
                    frame = f.wire.read()
                    kinds.append(frame.kind)
                    if frame.kind == LOG:
                        self.assertEqual(frame.body, b"closed\n")
                self.assertIn(LOG, kinds)
                self.assertEqual((frame.head["kind"], frame.head["type"]), ("cancelled", "Cancelled"))
                self.assertIn("client went away", frame.head["message"])


class Failures(ShimTest):
    def test_an_exception(self):
        f = self.function("class Mine(Exception): pass\ndef deep(): raise Mine('oh no')\ndef handler(e, c):\n    deep()")
        error = f.invoke().error
        self.assertEqual((error["kind"], error["type"], error["message"]), ("handler", "Mine", "oh no"))
        self.assertRegex(error["trace"], r'(?s)^Traceback.*main\.py", line 4, in handler.*line 2, in deep.*Mine: oh no')
        self.assertNotIn("shim.py", error["trace"])
        self.assertEqual(f.invoke().error["type"], "Mine")  # and it goes on

    def test_an_async_exception_with_a_cause(self):
        f = self.function("async def handler(e, c):\n    try:\n        {}['k']\n    except KeyError as x:\n        raise ValueError('v') from x")
        error = f.invoke().error
        self.assertIn("direct cause", error["trace"])
        self.assertNotIn("shim.py", error["trace"])

    def test_long_texts_are_cut(self):
        error = self.function("def handler(e, c): raise ValueError('ü' * 100000)").invoke().error
        self.assertLessEqual(len(error["message"].encode()), 16 << 10)
        self.assertLessEqual(len(error["trace"].encode()), 64 << 10)

    def test_an_exception_that_cannot_be_printed(self):
        error = self.function("class E(Exception):\n    def __str__(self): raise RuntimeError\ndef handler(e, c): raise E").invoke().error
        self.assertEqual((error["kind"], error["type"]), ("handler", "E"))

    def test_endless_recursion(self):
        error = self.function("def handler(e, c): return handler(e, c)").invoke().error
        self.assertEqual(error["type"], "RecursionError")

    def test_the_wrong_number_of_parameters(self):
        error = self.function("def handler(event): return 1").invoke().error
        self.assertEqual((error["kind"], error["type"]), ("handler", "TypeError"))
        self.assertNotIn("shim.py", error["trace"])

    def test_exit(self):
        for statement, status in (("sys.exit(3)", 3), ("sys.exit()", 0), ("sys.exit('bye')", 1), ("raise SystemExit(9)", 9), ("exit_later()", 5)):
            for head in ("def", "async def"):
                with self.subTest(statement, head=head):
                    f = self.function("import sys\ndef exit_later(): sys.exit(5)\n%s handler(e, c):\n    %s" % (head, statement))
                    error = f.invoke().error
                    self.assertEqual((error["kind"], error["type"]), ("exit", "SystemExit"))
                    self.assertEqual(f.process.wait(TIMEOUT), status)

    def test_exit_in_a_thread_of_a_concurrent_function(self):
        f = self.function("import sys\ndef handler(e, c): sys.exit(3)", concurrency=4)
        self.assertEqual(f.invoke().error["kind"], "exit")
        self.assertEqual(f.process.wait(TIMEOUT), 3)

    def test_os_exit_ends_the_process_without_a_word(self):
        f = self.function("import os\ndef handler(e, c): os._exit(7)")
        f.start()
        self.assertIsNone(f.wire.read())
        self.assertEqual(f.process.wait(TIMEOUT), 7)

    def test_a_segfault_ends_the_process(self):
        f = self.function("import ctypes\ndef handler(e, c): ctypes.string_at(1)")
        f.start()
        self.assertIsNone(f.wire.read())
        self.assertEqual(f.process.wait(TIMEOUT), -signal.SIGSEGV)

    def test_an_endless_loop_can_be_killed(self):
        f = self.function("def handler(e, c):\n    print('looping')\n    while True: pass")
        f.start()
        self.assertEqual(f.wire.read().body, b"looping\n")
        f.process.kill()
        self.assertEqual(f.process.wait(TIMEOUT), -signal.SIGKILL)

    def test_a_bad_event(self):
        error = self.function("def handler(e, c): return 1").invoke(body=b"{").error
        self.assertEqual((error["kind"], error["type"]), ("handler", "JSONDecodeError"))

    def test_a_broken_frame_ends_the_shim(self):
        f = self.function("def handler(e, c): return 1")
        f.wire.sock.sendall(b"\xff" * 16)
        self.assertIsNone(f.wire.read())
        self.assertEqual(f.process.wait(TIMEOUT), 1)

    def test_the_end_of_the_stream_ends_the_shim_at_once(self):
        for source, concurrency in (("def", 1), ("async def", 1), ("def", 4)):
            f = self.function("import atexit, time\natexit.register(time.sleep, 1000)\n%s handler(e, c): return 1" % source, concurrency=concurrency)
            f.wire.sock.shutdown(1)
            self.assertEqual(f.process.wait(TIMEOUT), 0)


class Output(ShimTest):
    def test_print_is_a_frame_for_each_line(self):
        reply = self.function("import sys\ndef handler(e, c):\n    print('a', 1)\n    print('b', file=sys.stderr)\n    print('c', end='')\n    sys.stdout.write('d\\ne')\n    return 1").invoke()
        self.assertEqual([(f.head["fd"], f.body) for f in reply.logs], [(1, b"a 1\n"), (2, b"b\n"), (1, b"cd\n"), (1, b"e\n")])
        self.assertTrue(all(f.stream == 1 and f.head["t"] > 1e9 for f in reply.logs))

    def test_bytes_and_odd_text(self):
        reply = self.function("import sys\ndef handler(e, c):\n    sys.stdout.buffer.write('ü\\n'.encode()[:1]); sys.stdout.buffer.write('ü\\n'.encode()[1:])\n    print('\\ud800')").invoke()
        self.assertEqual([f.body for f in reply.logs], ["ü\n".encode(), b"\\ud800\n"])

    def test_long_lines_are_cut(self):
        reply = self.function("def handler(e, c):\n    print('ü' * 100000)\n    print('x' * 70000, end='')").invoke()
        self.assertTrue(all(len(f.body) <= 64 << 10 and f.body.endswith(b"\n") for f in reply.logs))
        self.assertEqual(reply.text().replace("\n", ""), "ü" * 100000 + "x" * 70000)

    def test_logging_has_levels(self):
        reply = self.function("import logging\ndef handler(e, c):\n    logging.info('i %d', 5)\n    logging.getLogger('x').error('two\\nlines')\n    logging.debug('hidden')").invoke()
        self.assertEqual([(f.head["level"], f.body) for f in reply.logs], [("INFO", b"i 5\n"), ("ERROR", b"two\nlines\n")])

    def test_basic_config_counts(self):
        reply = self.function("import logging\nlogging.basicConfig(level=logging.DEBUG, format='%(name)s/%(message)s')\ndef handler(e, c): logging.debug('d')").invoke()
        self.assertEqual([f.body for f in reply.logs], [b"root/d\n"])

    def test_warnings_and_printed_traces(self):
        reply = self.function("import traceback, warnings\ndef handler(e, c):\n    warnings.warn('careful')\n    try: 1/0\n    except Exception: traceback.print_exc()").invoke()
        self.assertIn("UserWarning: careful", reply.text(2))
        self.assertIn("ZeroDivisionError", reply.text(2))

    def test_output_while_loading_belongs_to_no_invocation(self):
        f = self.function("print('loading')\ndef handler(e, c): pass")
        self.assertEqual([(x.stream, x.body) for x in f.load_logs], [(0, b"loading\n")])

    def test_a_thread_of_the_function_logs_to_its_invocation(self):
        reply = self.function("import threading\ndef handler(e, c):\n    t = threading.Thread(target=print, args=('from a thread',)); t.start(); t.join()").invoke()
        self.assertEqual([(f.stream, f.body) for f in reply.logs], [(1, b"from a thread\n")])

    def test_a_late_thread_logs_to_the_invocation_that_runs(self):
        f = self.function("import threading\ngo = threading.Event()\ndef late():\n    go.wait(); print('late')\nt = threading.Thread(target=late)\ndef handler(e, c):\n    if e: go.set(); t.join()\n    else: t.start()")
        self.assertEqual(f.invoke(0).logs, [])
        self.assertEqual([(x.stream, x.body) for x in f.invoke(1).logs], [(2, b"late\n")])

    def test_output_between_invocations_belongs_to_none(self):
        f = self.function("import threading\ngo = threading.Event()\ndef late():\n    while threading.main_thread().is_alive() and not over(): pass\n    print('between')\ndef over():\n    import sys\n    return 'handler' not in [x.f_code.co_name for x in chain(sys._current_frames()[threading.main_thread().ident])]\ndef chain(x):\n    while x: yield x; x = x.f_back\ndef handler(e, c): threading.Thread(target=late, daemon=True).start()")
        f.invoke()
        frame = f.wire.read()
        self.assertEqual((frame.kind, frame.stream, frame.body), (LOG, 0, b"between\n"))

    def test_raw_output_goes_to_the_descriptors(self):
        f = self.function("import os\ndef handler(e, c): os.write(1, b'raw'); os.system('echo shell')")
        f.invoke()
        f.wire.close()
        self.assertEqual(f.process.stdout.read(), b"rawshell\n")


class Concurrency(ShimTest):
    def test_async_handlers_overlap(self):
        f = self.function("import asyncio\nevent = None\nasync def handler(e, c):\n    global event\n    event = event or asyncio.Event()\n    print('in', e)\n    if e == 'wait': await event.wait()\n    else: event.set()\n    return [e, c.aws_request_id]", concurrency=2)
        self.overlap(f)

    def test_sync_handlers_overlap_in_threads(self):
        f = self.function("import threading\nevent = threading.Event()\ndef handler(e, c):\n    print('in', e)\n    if e == 'wait': event.wait()\n    else: event.set()\n    return [e, c.aws_request_id]", concurrency=2)
        self.overlap(f)

    def overlap(self, f):
        first = f.start("wait", request_id="A")
        self.assertEqual((f.wire.read().body), b"in wait\n")
        second = f.start("go", request_id="B")
        frames = [f.wire.read() for _ in range(3)]
        logs = [(x.stream, x.body) for x in frames if x.kind == LOG]
        self.assertEqual(logs, [(second, b"in go\n")])
        self.assertEqual({x.stream: x.json() for x in frames if x.kind == RESULT}, {first: ["wait", "A"], second: ["go", "B"]})

    def test_many_at_once(self):
        f = self.function("def handler(e, c):\n    print(e)\n    return e", concurrency=8)
        for round_ in range(20):
            streams = [f.start(i) for i in range(8)]
            results, logs = {}, {}
            while len(results) < 8:
                frame = f.wire.read()
                (results if frame.kind == RESULT else logs)[frame.stream] = frame.body
            self.assertEqual(results, {s: str(i).encode() for i, s in enumerate(streams)})
            self.assertEqual(logs, {s: b"%d\n" % i for i, s in enumerate(streams)})

    def test_an_async_handler_is_cancelled(self):
        for concurrency in (1, 4):
            f = self.function("import asyncio\nasync def handler(e, c):\n    print('in')\n    if e: return e\n    try: await asyncio.Event().wait()\n    finally: print('cleaned')", concurrency=concurrency)
            stream = f.start(0)
            self.assertEqual(f.wire.read().body, b"in\n")
            f.wire.send(CANCEL, stream, {"reason": "timeout"})
            reply = f.collect(stream)
            self.assertEqual((reply.error["kind"], reply.error["type"], reply.text()), ("cancelled", "Cancelled", "cleaned\n"))
            self.assertEqual(f.invoke(5).json(), 5)

    def test_a_handler_that_ignores_its_cancel_gets_its_result_out(self):
        f = self.function("import asyncio\nasync def handler(e, c):\n    print('in')\n    try: await asyncio.Event().wait()\n    except asyncio.CancelledError: return 'anyway'")
        stream = f.start()
        self.assertEqual(f.wire.read().body, b"in\n")
        f.wire.send(CANCEL, stream, {"reason": "timeout"})
        self.assertEqual(f.collect(stream).json(), "anyway")

    def test_a_sync_handler_in_a_thread_is_cancelled(self):
        f = self.function("def handler(e, c):\n    if e: return e\n    print('in')\n    while True: pass", concurrency=2)
        stream = f.start(0)
        self.assertEqual(f.wire.read().body, b"in\n")
        f.wire.send(CANCEL, stream, {"reason": "timeout"})
        self.assertEqual(f.collect(stream).error["kind"], "cancelled")
        self.assertEqual(f.invoke(5).json(), 5)

    def test_a_late_cancel_and_late_credit_are_nothing(self):
        for source, concurrency in (("def", 1), ("async def", 1), ("def", 4)):
            f = self.function("%s handler(e, c): return e" % source, concurrency=concurrency)
            f.invoke(1)
            f.wire.send(CANCEL, 1, {"reason": "late"})
            f.wire.send(CREDIT, 1, {"bytes": 5})
            self.assertEqual(f.invoke(2).json(), 2)

    def test_ping(self):
        for source, concurrency in (("def", 1), ("async def", 1), ("def", 4)):
            f = self.function("%s handler(e, c): return e" % source, concurrency=concurrency)
            f.wire.send(PING, 0, None, b"12345")
            frame = f.wire.read()
            self.assertEqual((frame.kind, frame.body), (PONG, b"12345"))


class LambdaHandlers(ShimTest):
    """Handlers as they are written for AWS, unchanged."""

    def test_api_gateway_echo(self):
        reply = self.lambda_fixture("apigw_echo").invoke(http={
            "method": "POST", "path": "/items", "raw_query": "page=2", "headers": {"Host": ["h"], "Content-Type": ["application/json"], "User-Agent": ["ua"]},
        }, body=b'{"n": 1}', request_id="01X")
        self.assertEqual(reply.headers["X-Request-Id"], ["01X"])
        self.assertEqual(reply.json(), {"method": "POST", "path": "/items", "query": {"page": "2"}, "agent": "ua", "host": "h", "data": {"n": 1}})

    def test_s3_event(self):
        record = {"s3": {"bucket": {"name": "b"}, "object": {"key": "a+b%C3%BC.txt", "size": 3}}}
        self.assertEqual(self.lambda_fixture("s3_event").invoke({"Records": [record]}).json(),
                         {"processed": 1, "objects": [{"bucket": "b", "key": "a bü.txt", "size": 3}]})

    def test_cookies(self):
        reply = self.lambda_fixture("cookies").invoke(http={"headers": {"Cookie": ["visits=4; theme=light"]}})
        self.assertEqual(reply.headers["set-cookie"], ["visits=5; Path=/; HttpOnly", "theme=dark"])
        self.assertEqual(reply.body, b"visit 5")

    def test_binary(self):
        import zlib

        reply = self.lambda_fixture("binary").invoke(http={"headers": {"Content-Type": ["image/png"]}}, body=bytes(range(256)))
        self.assertEqual(zlib.decompress(reply.body), bytes(range(256)))

    def test_logs(self):
        reply = self.lambda_fixture("logs").invoke({"what": "it"})
        self.assertEqual(reply.json(), "logged")
        self.assertEqual([f.head["level"] for f in reply.logs], ["INFO", "WARNING", "ERROR"])
        self.assertIn("ZeroDivisionError", reply.text())

    def test_a_class(self):
        f = self.lambda_fixture("classy")
        self.assertEqual([f.invoke(http={"path": p}).status for p in ("/count", "/fail", "/x")], [200, 500, 404])
        self.assertEqual(f.invoke(http={"path": "/count"}).json(), {"calls": 4})

    def test_forms(self):
        reply = self.lambda_fixture("forms").invoke(http={
            "method": "POST", "headers": {"Content-Type": ["application/x-www-form-urlencoded"]}}, body="name=Zo%C3%AB&tag=a&tag=b".encode())
        self.assertEqual(reply.json(), {"name": "Zoë", "tags": ["a", "b"]})

    def test_remaining_time(self):
        got = self.lambda_fixture("remaining").invoke({}).json()
        self.assertTrue(0 < got["after"] <= got["before"] - 20 <= 10000 - 20)
        self.assertEqual((got["name"], got["env"], got["memory"], got["group"]), ("hello", "hello", 128, "/hearth/hello"))


class TestRehearsal(unittest.TestCase):
    def test_it_runs_every_handler_to_its_end(self):
        """A coroutine that is dropped half-way warns when it is collected."""
        program = (
            "import gc, sys; sys.path.insert(0, %r); import shim; shim.rehearse(%r); gc.collect()" % (HERE, os.path.join(HERE, "rehearsal"))
        )
        done = subprocess.run([sys.executable, "-X", "dev", "-W", "always", "-c", program], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))


if __name__ == "__main__":
    unittest.main()

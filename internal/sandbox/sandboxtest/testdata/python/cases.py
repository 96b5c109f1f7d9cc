"""Functions of the conformance suite: one for each case, the same as cases.mjs."""

import asyncio
import os
import random
import sys
import time
import uuid

served = 0


def echo(event, context):
    return event


def raw(event, context):
    return event["body"].encode() if isinstance(event, dict) and "body" in event else b"\x00\xff" * event["pairs"]


def env(event, context):
    return os.environ.get(event)


def where(event, context):
    return {"cwd": os.getcwd(), "code": os.path.dirname(os.path.abspath(__file__)), "uid": os.getuid(), "pid": os.getpid(), "ppid": os.getppid()}


def fail(event, context):
    raise ValueError("no " + event)


def unsendable(event, context):
    return {1, 2, 3}


def quit(event, context):
    sys.exit(event)


def crash(event, context):
    import ctypes

    ctypes.string_at(0)


def log(event, context):
    print("first")
    print("second", file=sys.stderr)
    print("third")
    return None


def raw_output(event, context):
    os.write(1, b"straight to one\n")
    os.write(2, b"straight to two\n")
    return None


def flood(event, context):
    line = "x" * 1023
    for _ in range(event["kib"]):
        print(line)
    return event["kib"]


def raw_flood(event, context):
    line = b"x" * 1023 + b"\n"
    for _ in range(event["kib"]):
        os.write(1, line)
    return event["kib"]


def count(event, context):
    global served
    served += 1
    return served


async def nap(event, context):
    await asyncio.sleep(event["ms"] / 1000)
    return event


def loop(event, context):
    import signal

    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGALRM"):
        try:
            signal.signal(getattr(signal, name), signal.SIG_IGN)
        except (ValueError, OSError):
            pass  # not the main thread
    print("looping", flush=True)
    while True:
        pass


def eat(event, context):
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1)) * (4 << 20))


kept = None


def hold(event, context):
    global kept
    kept = bytearray(b"x") * (event["mib"] << 20)
    return len(kept)


def fork(event, context):
    """Forks until it may not, and says how far it came."""
    children = 0
    try:
        while children < event["most"]:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            children += 1
    except OSError as e:
        return {"children": children, "error": e.strerror}
    return {"children": children, "error": ""}


def fill(event, context):
    written = 0
    try:
        with open("/tmp/fill", "wb") as f:
            while written < event["most"]:
                written += f.write(b"x" * (1 << 20))
                f.flush()
    except OSError as e:
        return {"written": os.stat("/tmp/fill").st_size, "error": e.strerror}
    return {"written": written, "error": ""}


def spin(event, context):
    end = time.monotonic() + event["ms"] / 1000
    while time.monotonic() < end:
        pass
    return time.process_time()


def stream(event, context):
    for i in range(event["chunks"]):
        yield bytes([65 + i % 26]) * event["size"]


def luck(event, context):
    return [random.random(), str(uuid.uuid4()), os.urandom(8).hex()]


def threads(event, context):
    """Starts threads until it may not."""
    import threading

    release = threading.Event()
    n = 0
    try:
        while n < event["most"]:
            threading.Thread(target=release.wait, daemon=True).start()
            n += 1
    except RuntimeError as e:
        return {"children": n, "error": str(e)}
    finally:
        release.set()
    return {"children": n, "error": ""}

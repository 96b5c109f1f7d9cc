"""Counts its calls in memory: the number grows while the same sandbox is reused."""

import os
import time

born = time.monotonic()
calls = 0


def handler(event, context):
    global calls
    calls += 1
    return {"calls": calls, "pid": os.getpid(), "age_seconds": round(time.monotonic() - born, 3)}

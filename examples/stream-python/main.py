"""Streams a reply: each line leaves as soon as it is yielded."""

import time


def handler(event, context):
    query = event.get("queryStringParameters", {})
    start, pause = min(int(query.get("from", 5)), 100), min(float(query.get("pause", 0.2)), 5)
    yield {"statusCode": 200, "headers": {"content-type": "text/plain; charset=utf-8"}}
    for n in range(start, 0, -1):
        yield f"{n}…\n"
        time.sleep(pause)
    yield "lift-off\n"

"""Streams its answer line by line."""
import json


def handler(event, context):
    for n in range(event.get("count", 3)):
        yield json.dumps({"n": n}) + "\n"

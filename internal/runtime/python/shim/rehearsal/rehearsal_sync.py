"""What a stem cell runs before it waits, so that the pages that the load of a
module and a first call touch are its own by then. It does what small handlers
do, in about their size, and is forgotten afterwards."""

import json
import logging
import os
import re
import time
from datetime import datetime, timezone

logger = logging.getLogger(__name__)
TABLE = {"name": os.environ.get("HEARTH_FUNCTION", ""), "numbers": [i * i for i in range(16)]}


class Greeter:
    greeting = "Hello"

    def __init__(self, name="world"):
        self.name = name

    def greet(self):
        return "%s, %s!" % (self.greeting, self.name)


def _parameters(event):
    if isinstance(event, dict):
        return event.get("queryStringParameters") or {}
    return {}


def _body(event):
    body = event.get("body") if isinstance(event, dict) else None
    return json.loads(body) if body else None


def handler(event, context):
    started = time.time()
    name = re.sub(r"\W+", " ", _parameters(event).get("name", "world")).strip()
    print("rehearsing", name)
    logger.info("request %s", context.aws_request_id)
    reply = {
        "message": Greeter(name).greet(),
        "body": _body(event),
        "at": datetime.now(timezone.utc).isoformat(),
        "left": context.get_remaining_time_in_millis(),
        "took": time.time() - started,
        **TABLE,
    }
    if isinstance(event, dict) and event.get("version") == "2.0":
        return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(reply)}
    return reply

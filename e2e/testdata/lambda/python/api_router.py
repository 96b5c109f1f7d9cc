"""A small REST API behind API Gateway's HTTP API (payload format 2.0)."""
import base64
import json
import logging
import re

logger = logging.getLogger()
logger.setLevel(logging.INFO)

ITEMS = {"1": {"id": "1", "title": "Learn Python"}}
ROUTES = []


def route(method, pattern):
    def register(function):
        ROUTES.append((method, re.compile("^%s$" % pattern), function))
        return function

    return register


class ApiError(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@route("GET", "/items")
def list_items(event):
    items = sorted(ITEMS.values(), key=lambda item: item["id"])
    params = event.get("queryStringParameters") or {}
    return 200, items[: int(params.get("limit", 100))]


@route("GET", "/items/(?P<id>[^/]+)")
def get_item(event, id):
    if id not in ITEMS:
        raise ApiError(404, "item %s not found" % id)
    return 200, ITEMS[id]


@route("POST", "/items")
def create_item(event):
    item = json.loads(body_of(event))
    item["id"] = str(len(ITEMS) + 1)
    ITEMS[item["id"]] = item
    return 201, item


@route("DELETE", "/items/(?P<id>[^/]+)")
def delete_item(event, id):
    ITEMS.pop(id, None)
    return 204, None


def body_of(event):
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode("utf-8")
    return body


def response(status, payload):
    reply = {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", "X-Items": str(len(ITEMS))},
    }
    if payload is not None:
        reply["body"] = json.dumps(payload)
    return reply


def lambda_handler(event, context):
    http = event["requestContext"]["http"]
    logger.info("%s %s request=%s", http["method"], event["rawPath"], context.aws_request_id)
    for method, pattern, function in ROUTES:
        match = pattern.match(event["rawPath"])
        if match and method == http["method"]:
            try:
                return response(*function(event, **match.groupdict()))
            except ApiError as error:
                return response(error.status, {"message": str(error)})
    return response(404, {"message": "no route for %(method)s %(path)s" % http})

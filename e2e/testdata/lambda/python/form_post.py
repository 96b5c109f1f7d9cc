"""Takes a form as a browser posts it, and answers with cookies and a page."""
import base64
import html
import os
from http import cookies
from urllib.parse import parse_qs


def handler(event, context):
    raw = event["body"]
    if event["isBase64Encoded"]:
        raw = base64.b64decode(raw).decode("utf-8")
    form = {name: values[0] for name, values in parse_qs(raw, strict_parsing=True).items()}
    jar = cookies.SimpleCookie()
    for cookie in event.get("cookies", []):
        jar.load(cookie)
    visits = int(jar["visits"].value) + 1 if "visits" in jar else 1
    page = "<h1>%s, %s</h1><p>visit %d</p>" % (os.environ["GREETING"], html.escape(form["name"]), visits)
    return {
        "statusCode": 200,
        "headers": {"content-type": "text/html; charset=utf-8"},
        "cookies": ["visits=%d; Path=/; HttpOnly" % visits, "seen=1; Max-Age=60"],
        "body": page,
    }

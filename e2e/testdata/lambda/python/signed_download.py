"""Answers with compressed bytes and a signature over them."""
import base64
import csv
import gzip
import hashlib
import hmac
import io
import os
import zlib

SECRET = os.environ["SECRET"].encode()


def lambda_handler(event, context):
    rows = io.StringIO()
    writer = csv.writer(rows)
    writer.writerow(["n", "crc"])
    for n in range(int(event["pathParameters"]["rows"] if event.get("pathParameters") else event["rawPath"].strip("/"))):
        writer.writerow([n, zlib.crc32(str(n).encode())])
    payload = gzip.compress(rows.getvalue().encode(), mtime=0)
    return {
        "statusCode": 200,
        "isBase64Encoded": True,
        "headers": {
            "Content-Type": "text/csv",
            "Content-Encoding": "gzip",
            "X-Signature": hmac.new(SECRET, payload, hashlib.sha256).hexdigest(),
        },
        "body": base64.b64encode(payload).decode(),
    }

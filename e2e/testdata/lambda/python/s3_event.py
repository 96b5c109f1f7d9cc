"""Lists the objects of an S3 notification, and keeps a manifest in /tmp."""
import json
import os
import tempfile
import urllib.parse
from datetime import datetime, timezone

print("Loading function")


def lambda_handler(event, context):
    objects = []
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"], encoding="utf-8")
        when = datetime.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        print("Received %s for s3://%s/%s" % (record["eventName"], bucket, key))
        objects.append({
            "uri": "s3://%s/%s" % (bucket, key),
            "size": record["s3"]["object"]["size"],
            "day": when.strftime("%Y/%m/%d"),
            "extension": os.path.splitext(key)[1],
        })
    with tempfile.NamedTemporaryFile("w+", suffix=".json", delete=False) as manifest:
        json.dump(objects, manifest)
    try:
        with open(manifest.name) as again:
            assert json.load(again) == objects
        return {"manifest": os.path.dirname(manifest.name), "objects": objects}
    finally:
        os.remove(manifest.name)

"""Adds up the records of a Kinesis stream; one that is broken ends the call."""
import base64
import collections
import json


class BadRecord(Exception):
    """A record that can't be read."""


def lambda_handler(event, context):
    totals = collections.Counter()
    for record in event["Records"]:
        data = base64.b64decode(record["kinesis"]["data"])
        try:
            reading = json.loads(data)
        except json.JSONDecodeError as error:
            raise BadRecord("sequence %s" % record["kinesis"]["sequenceNumber"]) from error
        totals[reading["sensor"]] += reading["value"]
    return totals

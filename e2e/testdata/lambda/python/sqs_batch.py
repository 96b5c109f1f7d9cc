"""Works through an SQS batch and reports the messages that failed."""
import hashlib
import json
import logging
import os

log = logging.getLogger(__name__)
log.setLevel(os.environ.get("LOG_LEVEL", "INFO"))


class PoisonMessage(ValueError):
    pass


def process(record):
    body = record["body"]
    if hashlib.md5(body.encode()).hexdigest() != record["md5OfBody"]:
        raise PoisonMessage("checksum of %s differs" % record["messageId"])
    order = json.loads(body)
    if order["quantity"] <= 0:
        raise PoisonMessage("quantity must be positive")
    kind = record["messageAttributes"].get("kind", {}).get("stringValue", "plain")
    log.info("order %s (%s)", order["id"], kind)


def lambda_handler(event, context):
    failures = []
    for record in event["Records"]:
        try:
            process(record)
        except Exception:
            log.exception("failed: %s", record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}

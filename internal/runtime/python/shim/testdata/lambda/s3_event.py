import urllib.parse


def lambda_handler(event, context):
    out = []
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = urllib.parse.unquote_plus(record["s3"]["object"]["key"], encoding="utf-8")
        out.append({"bucket": bucket, "key": key, "size": record["s3"]["object"]["size"]})
    return {"processed": len(out), "objects": out}

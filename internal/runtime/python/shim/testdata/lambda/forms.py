from urllib.parse import parse_qs


def lambda_handler(event, context):
    form = parse_qs(event["body"])
    return {"name": form["name"][0], "tags": form.get("tag", [])}

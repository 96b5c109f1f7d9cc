import json


def lambda_handler(event, context):
    ctx = event["requestContext"]
    body = event.get("body")
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json", "X-Request-Id": context.aws_request_id},
        "body": json.dumps({
            "method": ctx["http"]["method"],
            "path": event["rawPath"],
            "query": event.get("queryStringParameters"),
            "agent": ctx["http"]["userAgent"],
            "host": event["headers"]["host"],
            "data": json.loads(body) if body else None,
        }),
    }

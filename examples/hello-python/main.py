"""Says hello, over HTTP (?name=Ada) or invoked with {"name": "Ada"}."""


def handler(event, context):
    event = event or {}
    who = event.get("queryStringParameters", event).get("name", "world")
    return {"message": f"Hello, {who}!", "from": context.function_name}

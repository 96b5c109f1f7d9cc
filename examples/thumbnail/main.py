"""Makes a thumbnail: POST a PNG image, get a smaller one (?size=64 is the longer side)."""

import base64

import png


def fit(width, height, size):
    scale = min(1, size / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def problem(status, text):
    return {"statusCode": status, "body": {"error": text}}


def handler(event, context):
    body = event.get("body", "")
    data = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    size = event.get("queryStringParameters", {}).get("size", "64")
    if not (size.isdecimal() and 1 <= int(size) <= 1024):
        return problem(400, "size must be a number from 1 to 1024")
    try:
        width, height, rows = png.decode(data)
    except png.BadImage as error:
        return problem(415, str(error))

    new_width, new_height = fit(width, height, int(size))
    small = png.encode(new_width, new_height, png.shrink(width, height, rows, new_width, new_height))
    print(f"{width}x{height}, {len(data)} bytes -> {new_width}x{new_height}, {len(small)} bytes")
    return {
        "statusCode": 200,
        "headers": {"content-type": "image/png", "x-image-size": f"{new_width}x{new_height}"},
        "body": small,
    }

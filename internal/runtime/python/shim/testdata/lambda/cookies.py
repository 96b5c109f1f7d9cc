from http.cookies import SimpleCookie


def lambda_handler(event, context):
    seen = {}
    for cookie in event.get("cookies", []):
        for name, morsel in SimpleCookie(cookie).items():
            seen[name] = morsel.value
    visits = int(seen.get("visits", "0")) + 1
    return {
        "statusCode": 200,
        "cookies": ["visits=%d; Path=/; HttpOnly" % visits, "theme=dark"],
        "body": "visit %d" % visits,
        "headers": {"Content-Type": "text/plain"},
    }

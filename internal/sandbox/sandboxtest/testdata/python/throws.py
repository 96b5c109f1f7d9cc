def begin():
    raise RuntimeError("not today")


begin()


def handler(event, context):
    return 1

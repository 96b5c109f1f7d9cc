class App:
    def __init__(self):
        self.calls = 0
        self.routes = {("GET", "/count"): self.count, ("GET", "/fail"): self.fail}

    def count(self, event):
        return 200, {"calls": self.calls}

    def fail(self, event):
        raise KeyError("no such thing")

    def __call__(self, event, context):
        self.calls += 1
        http = event["requestContext"]["http"]
        action = self.routes.get((http["method"], http["path"]))
        if action is None:
            return {"statusCode": 404, "body": "not found"}
        try:
            status, body = action(event)
        except KeyError as exc:
            return {"statusCode": 500, "body": "failed: " + str(exc)}
        return {"statusCode": status, "body": body}


lambda_handler = App()

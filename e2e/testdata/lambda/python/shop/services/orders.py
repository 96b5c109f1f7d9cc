"""A class with state, in a package, named by a nested handler."""
import itertools
import os
import threading

from ..models import Order


class Orders:
    def __init__(self, table):
        self.table = table
        self.ids = itertools.count(1)
        self.lock = threading.Lock()

    def __call__(self, event, context):
        with self.lock:
            order = Order(next(self.ids), event["sku"], event.get("quantity", 1))
        return {"table": self.table, "order": order.as_dict(), "version": context.function_version}


place = Orders(os.environ.get("ORDERS_TABLE", "orders"))

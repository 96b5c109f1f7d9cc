import os
import time


def lambda_handler(event, context):
    before = context.get_remaining_time_in_millis()
    deadline = time.monotonic() + 0.02
    while time.monotonic() < deadline:
        pass
    return {
        "before": before,
        "after": context.get_remaining_time_in_millis(),
        "name": context.function_name,
        "version": context.function_version,
        "memory": int(context.memory_limit_in_mb),
        "arn": context.invoked_function_arn,
        "env": os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        "region": os.environ.get("AWS_REGION"),
        "group": context.log_group_name,
    }

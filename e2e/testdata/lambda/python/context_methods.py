"""What a handler can learn of itself."""
import os
import time


def lambda_handler(event, context):
    before = context.get_remaining_time_in_millis()
    time.sleep(0.05)
    after = context.get_remaining_time_in_millis()
    print("Log stream name:", context.log_stream_name)
    print("Log group name:", context.log_group_name)
    arn = context.invoked_function_arn.split(":")
    return {
        "name": context.function_name,
        "version": context.function_version,
        "memory": int(context.memory_limit_in_mb),
        "request": len(context.aws_request_id) > 10,
        "counts_down": 0 < after < before <= 10_000 and before - after >= 45,
        "arn_kind": arn[5],
        "arn_name": arn[6],
        "client": context.client_context,
        "user": context.identity.cognito_identity_id if context.identity else None,
        "env": {name: os.environ.get(name) for name in ("AWS_LAMBDA_FUNCTION_NAME", "STAGE")},
        "task_root": os.path.samefile(os.environ.get("LAMBDA_TASK_ROOT", "."), os.path.dirname(__file__)),
    }

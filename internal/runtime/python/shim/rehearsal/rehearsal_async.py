"""The same as rehearsal_sync, for asynchronous handlers."""

import asyncio


async def handler(event, context):
    print("rehearsing")
    await asyncio.sleep(0)
    return {"event": event, "request": context.aws_request_id}

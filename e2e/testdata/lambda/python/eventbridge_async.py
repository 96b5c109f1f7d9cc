"""A scheduled event, handled by a coroutine."""
import asyncio
from datetime import datetime, timedelta


async def check(region, delay):
    await asyncio.sleep(delay)
    return region


async def handler(event, context):
    at = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    regions = await asyncio.gather(*(check(r, 0.01) for r in event["resources"]))
    return {"next": (at + timedelta(minutes=5)).isoformat(), "checked": regions}

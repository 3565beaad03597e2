"""Records put on `events` behind the edge's back: as another edge, with another clock, would write them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from contracts.encoding.codec import EventJson, named, represent
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record
from contracts.encoding.wire import encode
from contracts.topics import EVENTS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.stack import Stack


def parsed(body: dict[str, Any], event_id: str) -> EventJson:
    """The event that the edge makes of `body`."""
    return named(parse_event(json.dumps(body).encode()), event_id)


def record(tenant: str, body: dict[str, Any], event_id: str, received_ms: int) -> Record:
    """The record of an event that some edge received then."""
    event = parsed(body, event_id)
    return encode(tenant, event, received_ms, represent(event))


def append(stack: Stack, *records: Record) -> None:
    """Append `records`, one after another."""
    asyncio.run(appended(stack, records))


async def appended(stack: Stack, records: Sequence[Record]) -> None:
    """`append`, in a running loop."""
    kafka = KafkaConnection(bootstrap_servers=stack.status["kafka"])
    log = EventLog(kafka, (EVENTS,), QueueLimits(1 << 20, 5))
    await log.start()
    try:
        async with asyncio.timeout(60):
            while not log.ready:
                await asyncio.sleep(0.02)
        for each in records:
            await log.append(EVENTS, each)
    finally:
        await log.stop()

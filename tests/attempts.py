"""Records of `deliveries` for tests: one attempt to vary, and how it is appended."""

import asyncio
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from contracts.attempts import Attempt, encode_attempt
from contracts.clickhouse.deliveries import NO_EVENT
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.topics import DELIVERIES
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.stack import Stack, eventually

NOW_MS = time.time_ns() // 1_000_000
"""What is older than the retention is gone as soon as it is stored."""
ARN = "arn:aws:sqs:eu-west-1:000000000000:orders"


def an_attempt(**changes: Any) -> Attempt:
    """A delivery at the first attempt, with `changes`."""
    known: dict[str, Any] = {
        "at": NOW_MS,
        "tenant": "acme",
        "subscription_id": str(uuid.uuid4()),
        "destination": ARN,
        "state": "delivered",
        "event_id": str(uuid.uuid4()),
        "partition": 3,
        "offset": 17,
        "attempt": 1,
        "latency_ms": 12,
        "message_id": "m-1",
    }
    return Attempt(**known | changes)


def record_of(attempt: Attempt, entity: str = "1") -> Record:
    """Its record, in the partition of the event of that entity."""
    key = f"{attempt.tenant}:{entity}".encode()
    return new_record(key, encode_attempt(attempt), encode_headers([]), attempt.at)


def append(stack: Stack, *attempts: Attempt) -> None:
    """Append their records, and wait until the ledger has stored them."""

    async def run() -> None:
        kafka = KafkaConnection(bootstrap_servers=stack.status["kafka"])
        log = EventLog(kafka, (DELIVERIES,), QueueLimits(1 << 20, 30))
        await log.start()
        async with asyncio.timeout(60):
            while not log.ready:
                await asyncio.sleep(0.02)
        for each in attempts:
            await log.append(DELIVERIES, record_of(each, each.event_id))
        await log.stop()

    [tenant] = {each.tenant for each in attempts}
    events = ", ".join(f"'{each.event_id or NO_EVENT}'" for each in attempts)
    count = f"""SELECT toUInt32(count()) FROM deliveries
        WHERE tenant = '{tenant}' AND state NOT IN ('behind') AND event_id IN ({events})"""
    [[before]] = stack.sql(count)
    with ThreadPoolExecutor(1) as thread:  # a test with a browser has a loop in its own
        thread.submit(lambda: asyncio.run(run())).result()
    eventually(lambda: stack.sql(count)[0][0], until=lambda found: found >= before + len(attempts))

"""Fills the log for a measurement, as the edge does, and counts what it holds."""

import asyncio
import itertools
from collections.abc import Iterable, Iterator

from aiokafka import AIOKafkaConsumer

from bench.ingest import bodies
from bench.made import new_id
from contracts.encoding.codec import DraftJson, EventJson, named, represent
from contracts.encoding.compression import Compression
from contracts.encoding.parse import parse_event
from contracts.encoding.wire import encode
from contracts.topics import EVENTS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits

AT_ONCE = 5000
KAFKA_TIMEOUT_S = 30


def retail_events(count: int) -> Iterator[DraftJson]:
    """`count` of the retail events, or of one event of 800 bytes; the same objects come again."""
    texts = bodies().get("retail", bodies()["800 B"])
    yield from itertools.islice(itertools.cycle([parse_event(text) for text in texts]), count)


def just_made(tenant: str, count: int, keyed: int = 0) -> Iterator[tuple[EventJson, int]]:
    """`count` events received now, each with its time of receipt in ms since 1970.

    `keyed` of each hundred have an Idempotency-Key, each a key of its own.
    """
    for number, draft in enumerate(retail_events(count)):
        key = b"key-%d" % number if number % 100 < keyed else None
        event_id, received_ms = new_id(tenant, draft.entity_id, key)
        yield named(draft, event_id), received_ms


async def fill(
    kafka: str,
    tenant: str,
    events: Iterable[tuple[EventJson, int]],
    compression: Compression = "zstd",
    at_once: int = AT_ONCE,
) -> list[str]:
    """Append `events`, each as it is when its turn comes, `at_once` before an answer; their ids."""
    connection = KafkaConnection(bootstrap_servers=kafka, compression=compression)
    log = EventLog(connection, (EVENTS,), QueueLimits(1 << 28, 30))
    await log.start()
    while not log.ready:
        await asyncio.sleep(0.05)
    ids: list[str] = []
    appended: asyncio.Future[int] | None = None
    for event, received_ms in events:
        appended = log.append(EVENTS, encode(tenant, event, received_ms, represent(event)))
        ids.append(event.id)
        if len(ids) % at_once == 0:
            await appended
    if appended is not None:
        await appended
    await log.stop()  # sends what other partitions still hold
    return ids


async def held(kafka: str) -> int:
    """How many records the topic of events holds."""
    consumer = AIOKafkaConsumer(EVENTS, bootstrap_servers=kafka)
    async with asyncio.timeout(KAFKA_TIMEOUT_S), consumer:
        partitions = consumer.assignment()
        begins = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
        return sum(ends[each] - begins[each] for each in partitions)

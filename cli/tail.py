"""Following a Kafka topic from outside any consumer group: reads everything, commits nothing.

Partitions are assigned here: aiokafka, left to subscribe, forgets where it was in all of them when
one is added, and begins the new one at its end.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from cli.terminal import local_offset, printable
from service.connections import METADATA_AGE_MS

START_TIMEOUT_S = 10.0
POLL_MS = 1_000


class CannotFollow(Exception):
    """The broker does not answer or has no such topic."""


async def follow(kafka: str, topic: str, from_beginning: bool, limit: int) -> AsyncIterator[Any]:
    """The topic's records, `limit` of them or without end. Raises `CannotFollow`."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what matters is raised
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        metadata_max_age_ms=METADATA_AGE_MS,
    )
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            await consumer.start()
            topics = await consumer.topics()
        if topic not in topics:
            raise CannotFollow(f"No topic {topic} at {kafka}; there is {', '.join(sorted(topics))}")
        remaining = limit
        async for record in _records(consumer, topic, from_beginning):
            yield record
            remaining -= 1
            if remaining == 0:
                return
    except (KafkaError, OSError, TimeoutError) as error:
        raise CannotFollow(f"Nothing answers at {kafka} ({type(error).__name__})") from error
    finally:
        await consumer.stop()


async def _records(
    consumer: AIOKafkaConsumer, topic: str, from_beginning: bool
) -> AsyncIterator[Any]:
    """Records without end; a partition that is added is read from its first."""
    positions: dict[TopicPartition, int] = {}
    async with asyncio.timeout(START_TIMEOUT_S):  # until then it knows of no topic's partitions
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.beginning_offsets(consumer.assignment())
    while True:
        numbers = consumer.partitions_for_topic(topic) or ()
        if new := {TopicPartition(topic, number) for number in numbers} - positions.keys():
            async with asyncio.timeout(START_TIMEOUT_S):
                if from_beginning or positions:
                    positions |= await consumer.beginning_offsets(new)
                else:
                    positions |= await consumer.end_offsets(new)
            consumer.assign(list(positions))
            for partition, offset in positions.items():
                consumer.seek(partition, offset)
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        for partition, records in fetched.items():
            for record in records:
                positions[partition] = record.offset + 1
                yield record


def line(record: Any) -> str:
    """Time, partition:offset, tenant, type, source, operation, entity, id, as far as they are there."""
    headers = {name: (text or b"").decode(errors="replace") for name, text in record.headers}
    fields = [
        local_offset(record.timestamp),
        f"{record.partition}:{record.offset}",
        headers.get("ce_tenant", "-"),
    ]
    if record.value is None and "ce_id" in headers:  # a tombstone: it erases this event
        source = headers.get("ce_source", "-").rpartition("/")[2]
        entity = (record.key or b"").decode(errors="replace").partition(":")[2]
        erased = headers.get("ce_erasedid", headers["ce_id"])  # the first release had no other
        return _joined([*fields, "ERASED", source, "-", entity, erased])
    try:
        event = json.loads(record.value or b"")
        fields += [event["event_type"], event["event_source"], event["event_payload"]["operation"]]
        fields += [event["entity_id"], event["id"]]
    except (ValueError, KeyError, TypeError):  # another topic's record, or one that nobody can read
        fields += [(record.key or b"").decode(errors="replace"), headers.get("reason", "")]
    return _joined(fields)


def _joined(fields: list[str]) -> str:
    return "  ".join(printable(str(field)) for field in fields)

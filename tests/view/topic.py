"""The topic of events taken away and made anew, empty or from a copy of its records."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from contracts.topics import EVENTS
from local.stack import Ports, environment
from tests import forked
from tests.stack import Stack, eventually


class Copied(NamedTuple):
    """A record as a copy of the log has it."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


def make_anew(stack: Stack, records: Sequence[Copied] = ()) -> None:
    """Delete the topic, create it as setup does, and append `records` in their order."""
    asked_by(stack, lambda admin: admin.delete_topics([EVENTS]))
    eventually(lambda: setup(stack), until=lambda log: f"topic {EVENTS} created" in log)
    eventually(lambda: partitions(stack))
    asyncio.run(_append(stack.status["kafka"], records))


def setup(stack: Stack) -> str:
    """What the processor of this name logs."""
    settings = environment(Ports(stack.port_base))
    ran = forked.run("processors", ["setup"], timeout_s=120, environment=settings)
    ran.check_returncode()
    return ran.stderr


def partitions(stack: Stack) -> int:
    """How many the topic has, once each has a leader."""

    async def ask(admin: Any) -> int:
        [about] = await admin.describe_topics([EVENTS])
        found = about.get("partitions", [])
        return len(found) if all(each["leader"] >= 0 for each in found) else 0

    return int(asked_by(stack, ask))


def grow(stack: Stack) -> int:
    """Have one partition more; its number."""
    number = partitions(stack)
    asked_by(stack, lambda admin: admin.create_partitions({EVENTS: NewPartitions(number + 1)}))
    eventually(lambda: partitions(stack), until=lambda found: found == number + 1)
    return number


def asked_by(stack: Stack, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    """What an admin client of Kafka is answered."""

    async def run() -> Any:
        admin = AIOKafkaAdminClient(bootstrap_servers=stack.status["kafka"])
        await admin.start()
        try:
            return await ask(admin)
        finally:
            await admin.close()

    return asyncio.run(run())


def copy(stack: Stack) -> list[Copied]:
    """All records of the topic, which must still have its first, by partition and offset."""
    return asyncio.run(_copy(stack.status["kafka"]))


async def _copy(kafka: str) -> list[Copied]:
    found: list[Copied] = []
    async with AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        await consumer._client.set_topics([EVENTS])
        asked = [TopicPartition(EVENTS, n) for n in consumer.partitions_for_topic(EVENTS) or ()]
        consumer.assign(asked)
        ends = await consumer.end_offsets(asked)
        while any([await consumer.position(each) < ends[each] for each in asked]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += [
                    Copied(r.partition, r.offset, r.timestamp, r.key, r.value, r.headers)
                    for r in records
                ]
    return sorted(found, key=lambda each: (each.partition, each.offset))


async def _append(kafka: str, records: Sequence[Copied]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka, acks="all") as producer:
        sent = [
            await producer.send(
                EVENTS,
                each.value,
                each.key,
                each.partition,
                each.timestamp,
                list(each.headers),
            )
            for each in records
        ]
        for each, future in zip(records, sent, strict=True):
            assert (await future).offset == each.offset, each

"""A record that no step can read goes to `events.rejected` with its cause; its partition moves on."""

import asyncio
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from contracts.topics import DELIVERIES, EVENTS, REJECTED
from tests.builders import an_event
from tests.stack import Stack, eventually
from tests.visible import visible

UNREADABLE = {
    b"not json": [("ce_tenant", b"acme")],
    b'{"entity_id": "1"}': [("ce_tenant", b"acme")],
    b"{}": [],
    b"no such tenant": [("ce_tenant", b"../etc")],
}


async def append(kafka: str, partition: int, topic: str = EVENTS) -> list[int]:
    """Put the unreadable records on the partition; their offsets."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        offsets = []
        for value, headers in UNREADABLE.items():
            sent = await producer.send_and_wait(topic, value, partition=partition, headers=headers)
            offsets.append(sent.offset)
        return offsets
    finally:
        await producer.stop()


async def rejected(
    kafka: str, topic: str = EVENTS
) -> dict[tuple[bytes, bytes], tuple[bytes, bytes]]:
    """Value and reason of all rejected records of a topic by source partition and offset."""
    consumer = AIOKafkaConsumer(
        REJECTED, bootstrap_servers=kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        found = {}
        for records in (await consumer.getmany(timeout_ms=2000)).values():
            for record in records:
                headers = dict(record.headers)
                if headers["source_topic"] == topic.encode():
                    position = (headers["source_partition"], headers["source_offset"])
                    found[position] = (record.value, headers["reason"])
        return found
    finally:
        await consumer.stop()


def test_unreadable_records_are_parked_with_their_cause_and_the_partition_moves_on(
    stack: Stack, tenant: str
) -> None:
    kafka = stack.status["kafka"]
    event = an_event(entity_id="behind-the-unreadable")
    partition = crc32(f"{tenant}:behind-the-unreadable".encode()) % 6
    offsets = asyncio.run(append(kafka, partition))
    with stack.client(tenant) as client:
        posted = client.post("/api/v1/events", json=event)
        visible(client, posted.json()["id"])
    positions = {(str(partition).encode(), str(offset).encode()) for offset in offsets}
    found = eventually(
        lambda: asyncio.run(rejected(kafka)), until=lambda found: positions <= found.keys()
    )
    assert {found[position][0] for position in positions} == set(UNREADABLE)
    assert all(found[position][1] for position in positions)


def test_what_is_no_attempt_is_parked_and_the_ledger_moves_on(stack: Stack) -> None:
    kafka = stack.status["kafka"]
    offsets = asyncio.run(append(kafka, 3, DELIVERIES))
    positions = {(b"3", str(offset).encode()) for offset in offsets}
    found = eventually(
        lambda: asyncio.run(rejected(kafka, DELIVERIES)),
        until=lambda found: positions <= found.keys(),
    )
    assert {found[position][0] for position in positions} == set(UNREADABLE)
    assert all(found[position][1].startswith(b"no attempt: ") for position in positions)

"""examples/consume.py, run as it is written, on the topic of the whole stack."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka
from cloudevents.core.formats.json import JSONFormat

from contracts.topics import EVENTS
from tests.builders import an_event
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
KEY = {"Idempotency-Key": "one"}


def consumed(stack: Stack, tenant: str, limit: int) -> list[Any]:
    """The lines that the example prints for the tenant, in a group of the tenant's name."""
    argv = [sys.executable, "examples/consume.py", "--kafka", stack.status["kafka"]]
    argv += ["--group", f"test.{tenant}", "--tenant", tenant, "--limit", str(limit)]
    done = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


async def append(kafka: str, tenant: str, event_id: str) -> None:
    """To the entity of an_event(): a record of a kind yet to come, a tombstone of the first release."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    headers = [("ce_tenant", tenant.encode()), ("ce_id", event_id.encode()), ("ce_new", b"?")]
    key = f"{tenant}:1000144".encode()
    unknown = [*headers, ("ce_type", b"events.v9.NEW")]
    async with producer:
        partition = crc32(key) % len(await producer.partitions_for(EVENTS))
        for value, sent in ((b"\x00 no JSON", unknown), (None, headers)):
            await producer.send_and_wait(EVENTS, value, key, partition=partition, headers=sent)


def test_the_example_prints_each_event_once_and_goes_on_where_it_ended(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        first, again = (
            client.post("/api/v1/events", json=an_event(), headers=KEY) for _ in range(2)
        )
        second = client.post("/api/v1/events", json=an_event(event_type="FAULT"))
        assert first.content == again.content
        assert consumed(stack, tenant, limit=2) == [
            {"tenant": tenant, "id": answer.json()["id"], "event": answer.json()}
            for answer in (first, second)
        ]
        third = client.post("/api/v1/events", json=an_event(event_type="WARNING"))
    assert [line["event"] for line in consumed(stack, tenant, limit=1)] == [third.json()]


async def read_topic(kafka: str, tenant: str, until_id: str) -> list[ConsumerRecord]:
    """The tenant's records on the topic, up to the one with this `ce_id`."""
    found: list[ConsumerRecord] = []
    consumer = AIOKafkaConsumer(EVENTS, bootstrap_servers=kafka, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(60):
        async for record in consumer:
            headers = dict(record.headers)
            if headers.get("ce_tenant") == tenant.encode():
                found.append(record)
                if headers["ce_id"] == until_id.encode():
                    return found
    raise AssertionError("the topic ended")


async def test_the_cloudevents_sdk_reads_every_record_and_knows_a_tombstone_from_its_event(
    stack: Stack, tenant: str
) -> None:
    body = an_event(entity_id="a\x00\ufffe%é")
    with stack.client(tenant) as client:
        first = client.post("/api/v1/events", json=body, headers=KEY)
        assert client.delete(first.headers["Location"]).status_code == 204
        again = client.post("/api/v1/events", json=body, headers=KEY)
        assert again.content == first.content
        last = client.post("/api/v1/events", json=body).json()
    records = await read_topic(stack.status["kafka"], tenant, last["id"])
    event, tombstone, repeat, behind = (
        from_kafka(KafkaMessage(dict(each.headers), each.key, each.value), JSONFormat())
        for each in records
    )
    identities = {(each.get_source(), each.get_id()) for each in (event, tombstone, behind)}
    assert len(identities) == 3, "whoever leaves out repeats, as CloudEvents allows, obeys it"
    assert (repeat.get_source(), repeat.get_id()) == (event.get_source(), event.get_id())
    assert tombstone.get_extension("erasedid") == event.get_id() == first.json()["id"]
    assert event.get_subject() == "a%00%EF%BF%BE%é"
    assert (event.get_data(), tombstone.get_data()) == (first.json(), None)


def test_the_example_forgets_an_erased_event_for_good(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        first = client.post("/api/v1/events", json=an_event(), headers=KEY)
        assert client.delete(first.headers["Location"]).status_code == 204
        client.post("/api/v1/events", json=an_event(), headers=KEY)
        last = client.post("/api/v1/events", json=an_event()).json()
    event_id = first.json()["id"]
    assert consumed(stack, tenant, limit=3) == [
        {"tenant": tenant, "id": event_id, "event": first.json()},
        {"tenant": tenant, "id": event_id, "event": None},
        {"tenant": tenant, "id": last["id"], "event": last},
    ]


async def test_the_example_reads_on_past_tombstones_and_records_that_it_does_not_know(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        event = client.post("/api/v1/events", json=an_event()).json()
        await append(stack.status["kafka"], tenant, event["id"])
        found = consumed(stack, tenant, limit=2)
        after = client.post("/api/v1/events", json=an_event()).json()
    assert found == [
        {"tenant": tenant, "id": event["id"], "event": event},
        {"tenant": tenant, "id": event["id"], "event": None},
    ]
    assert [line["event"] for line in consumed(stack, tenant, limit=1)] == [after]

"""examples/consume.py, run as it is written, on the topic of the whole stack."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from zlib import crc32

from aiokafka import AIOKafkaProducer

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
    """To the entity of an_event(): one record of a kind that is yet to come, and a tombstone."""
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


def test_the_example_reads_on_past_tombstones_and_records_that_it_does_not_know(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        event = client.post("/api/v1/events", json=an_event()).json()
        asyncio.run(append(stack.status["kafka"], tenant, event["id"]))
        found = consumed(stack, tenant, limit=2)
        after = client.post("/api/v1/events", json=an_event()).json()
    assert found == [
        {"tenant": tenant, "id": event["id"], "event": event},
        {"tenant": tenant, "id": event["id"], "event": None},
    ]
    assert [line["event"] for line in consumed(stack, tenant, limit=1)] == [after]

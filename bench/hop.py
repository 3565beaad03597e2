"""The whole hop of delivery: the real router from a real topic to an SQS that answers at once.

    events (Kafka) -> decode -> match 1,000 subscriptions -> messages -> SendMessageBatch -> ledger -> commit

CPU of the router's process per message and messages per second, from a topic that holds everything
before; the first part is left out: connections, caches.
"""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

import httpx
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench import match
from bench.made import new_id
from bench.servers import cpu_s, process
from contracts.encoding.codec import decode_draft, fill_defaults, named, represent
from contracts.encoding.recordbatch import Record
from contracts.encoding.wire import encode
from contracts.events import EventSource
from contracts.filters import Index, View, parse
from contracts.topics import EVENTS, ROUTE_GROUP, SUBSCRIPTIONS
from local.stack import Ports
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits

TENANT = "acme"
SUBSCRIPTIONS_COUNT = 1_000
NOTE = "x" * 500
BROKER_TIMEOUT_S = 60
DONE_S = 300.0
POLL_S = 0.2
WARM_SHARE = 0.25


class Load(NamedTuple):
    """What is routed: patterns, and bodies of events as they are posted."""

    patterns: list[dict[str, Any]]
    bodies: list[bytes]

    @property
    def messages_per_event(self) -> float:
        """As our index finds them."""
        index, found = Index(), 0
        for number, pattern in enumerate(self.patterns):
            index.put(TENANT, str(number), parse(pattern))
        for body in self.bodies:
            event = named(decode_draft(body), "")
            fill_defaults(event)
            found += len(index.matching(TENANT, View(event)))
        return found / len(self.bodies)

    def messages_of(self, events: int) -> int:
        """Of so many events: whole rounds of the bodies."""
        assert events % len(self.bodies) == 0, f"not a multiple of {len(self.bodies)}"
        return round(self.messages_per_event * events)


class Hop(NamedTuple):
    """CPU microseconds of the router per message, and messages per second."""

    us: float
    per_s: float


def load(*, spread: bool, events: int = 2_000) -> Load:
    """About one message per event: to a queue for each kind of source, or `spread` over all queues."""
    chance = random.Random(1)
    bodies = []
    for _ in range(events):
        event = match.an_event(chance)
        event["event_payload"]["key_attributes"]["note"] = NOTE
        event["event_payload"]["key_attributes"]["shard"] = str(chance.randrange(1_000))
        bodies.append(json.dumps(event).encode())
    if spread:
        patterns: list[dict[str, Any]] = [
            {"key_attributes": {"shard": [str(n)]}} for n in range(SUBSCRIPTIONS_COUNT)
        ]
    else:
        broad: list[dict[str, Any]] = [
            {"event_source": [source]} for source in get_args(EventSource)
        ]
        rare = SUBSCRIPTIONS_COUNT - len(broad)
        patterns = [*broad, *(match.a_pattern(chance, number) for number in range(rare))]
    return Load(patterns, bodies)


async def subscribe(kafka: str, patterns: list[dict[str, Any]]) -> list[str]:
    """A subscription with a queue of its own for each pattern; their ids."""
    ids = [str(uuid.uuid4()) for _ in patterns]
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for number, (id_, pattern) in enumerate(zip(ids, patterns, strict=True)):
            body = {
                "name": f"q{number}",
                "filter": pattern,
                "destination": {
                    "type": "sqs",
                    "arn": f"arn:aws:sqs:eu-west-1:000000000000:q{number}",
                },
                "enabled": True,
                "labels": {},
                "id": id_,
            }
            await producer.send(
                SUBSCRIPTIONS, json.dumps(body).encode(), f"{TENANT}:{id_}".encode()
            )
    return ids


async def unsubscribe(kafka: str, ids: list[str]) -> None:
    """Take them away."""
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for each in ids:
            await producer.send(SUBSCRIPTIONS, None, f"{TENANT}:{each}".encode())


async def fill(kafka: str, bodies: list[bytes], count: int) -> None:
    """Append `count` events to the log."""
    log = EventLog(
        KafkaConnection(bootstrap_servers=kafka), (EVENTS,), QueueLimits(1 << 30, BROKER_TIMEOUT_S)
    )
    await log.start()
    try:
        async with asyncio.timeout(BROKER_TIMEOUT_S):
            while not log.ready:
                await asyncio.sleep(0.05)
        for first in range(0, count, 1_000):
            made = list(records(bodies, first, min(first + 1_000, count)))
            failures = await log.append_all(EVENTS, made)
            assert not any(failures), next(filter(None, failures))
    finally:
        await log.stop()


def records(bodies: list[bytes], first: int, end: int) -> Iterator[Record]:
    """Events as the edge writes them, made now."""
    for number in range(first, end):
        draft = decode_draft(bodies[number % len(bodies)])
        event_id, received_ms = new_id(TENANT, draft.entity_id, None)
        event = named(draft, event_id)
        fill_defaults(event)
        yield encode(TENANT, event, received_ms, represent(event))


async def begin_at_end(kafka: str) -> None:
    """Have the router's group begin where the log ends now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id=ROUTE_GROUP, enable_auto_commit=False
    )
    async with asyncio.timeout(BROKER_TIMEOUT_S):
        await consumer.start()
        try:
            await consumer._client.set_topics([EVENTS])
            numbers = consumer.partitions_for_topic(EVENTS) or ()
            partitions = [TopicPartition(EVENTS, number) for number in numbers]
            consumer.assign(partitions)
            await consumer.commit(await consumer.end_offsets(partitions))
        finally:
            await consumer.stop()


def taken(sqs: str) -> int:
    """How many messages the server at `sqs` has taken since its start."""
    answer = httpx.post(sqs, headers={"X-Amz-Target": "Taken"}, timeout=30, verify=False)  # noqa: S501
    return int(answer.raise_for_status().json())


def measured(ports: Ports, sqs: str, messages: int) -> Hop:
    """Start the router on a topic that owes `messages` more than its group has, and watch the server."""
    port, before = ports.by_name["route"], taken(sqs)
    more = {"EVENTS_PROBES__PORT": str(port), "EVENTS_SQS__ENDPOINT_URL": sqs}
    with process(["-m", "processors", "route"], ports, port, "/healthz", more) as router:
        begun = _reached(router, sqs, before + round(WARM_SHARE * messages))
        ended = _reached(router, sqs, before + messages)
    count = ended.messages - begun.messages
    return Hop((ended.cpu_s - begun.cpu_s) / count * 1e6, count / (ended.at_s - begun.at_s))


class _Seen(NamedTuple):
    at_s: float
    cpu_s: float
    messages: int


def _reached(router: psutil.Process, sqs: str, wanted: int) -> _Seen:
    """How it stood when the server had taken `wanted` messages, or a little more."""
    give_up_s = time.monotonic() + DONE_S
    while (done := taken(sqs)) < wanted:
        if time.monotonic() > give_up_s:
            raise TimeoutError(f"{wanted - done:,} messages did not come in {DONE_S:g} s")
        time.sleep(POLL_S)
    return _Seen(time.monotonic(), cpu_s(router), done)

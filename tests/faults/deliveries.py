"""Subscriptions of two tenants, and each (event, subscription) that is owed: counted one by one.

What is owed is told here from the events as they were posted, by rules of our own, not by the router's
filters. What came is what the queues took, and what `deliveries.dead` holds; the ledger must say the same.
"""

import asyncio
import contextlib
import itertools
import json
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.made import new_id
from contracts.attempts import decode_attempt
from contracts.encoding.codec import DraftJson, named, represent
from contracts.encoding.parse import parse_event
from contracts.encoding.wire import encode
from contracts.topics import DELIVERIES, DELIVERIES_DEAD, EVENTS, SUBSCRIPTIONS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits, Unaccepted, Unacknowledged
from tests.builders import many_events
from tests.fakes.sqs import StrictSqs
from tests.fakes.sqs_queue import Queue
from tests.queues import arn

TENANTS = ("one", "two")
ENTITIES = 40
POLL_S = 0.05
ASK_TIMEOUT_S = 60.0


class Rule(NamedTuple):
    """A filter, and what it accepts in words of our own."""

    filter: dict[str, Any]
    accepts: Callable[[DraftJson], bool]


ALL = Rule({}, lambda _: True)
ORDERS = Rule({"event_source": ["ORDER"]}, lambda event: event.event_source == "ORDER")
ONES = Rule({"entity_id": [{"prefix": "1"}]}, lambda event: event.entity_id.startswith("1"))


class Subscriber(NamedTuple):
    """One subscription; several may share a queue."""

    tenant: str
    id: str
    queue: str
    rule: Rule


class Owed(NamedTuple):
    """One event for one subscription."""

    subscription_id: str
    event_id: str


@dataclass(frozen=True)
class Verdict:
    """What became of all that was owed; `twice` counts what came again, `causes` what is dead.

    `untold` is what the ledger does not call delivered, or dead, and is.
    """

    owed: int
    delivered: int
    missing: list[Owed]
    untold: list[Owed]
    foreign: list[Owed]
    twice: int
    both: int
    causes: Counter[str]
    disordered: list[str]

    @property
    def complete(self) -> bool:
        """Everything is delivered, or dead with a cause, and the ledger knows; entities are in order.

        Nothing else came.
        """
        wrong = self.missing or self.untold or self.foreign or self.disordered
        return not wrong and "" not in self.causes

    def __str__(self) -> str:
        return (
            f"owed {self.owed}, delivered {self.delivered}, dead {dict(self.causes)}, both {self.both},"
            f" again {self.twice}; missing {len(self.missing)} {self.missing[:3]},"
            f" untold {len(self.untold)} {self.untold[:3]},"
            f" foreign {len(self.foreign)}, out of order {self.disordered[:3]}"
        )


def subscribers(suffix: str) -> list[Subscriber]:
    """Five of each tenant: standard and FIFO queues, two subscriptions on one of them."""
    queues = (
        *((f"all-{suffix}", ALL), (f"orders-{suffix}", ORDERS), (f"all-{suffix}.fifo", ALL)),
        *((f"shared-{suffix}.fifo", ORDERS), (f"shared-{suffix}.fifo", ONES)),
    )
    return [
        Subscriber(tenant, str(uuid.uuid4()), f"{tenant}-{queue}", rule)
        for tenant, (queue, rule) in itertools.product(TENANTS, queues)
    ]


@dataclass
class Deliveries:
    """`owed` is the offset of each event that was acknowledged, by subscription and event.

    An entity is in one partition, so its offsets compare.
    """

    log: EventLog
    sqs: StrictSqs
    subscribers: list[Subscriber]
    told: AIOKafkaConsumer
    owed: dict[Owed, int] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    events: int = 0

    def __post_init__(self) -> None:
        self._bodies = itertools.cycle([parse_event(text.encode()) for text in many_events(1000)])
        self._entities: dict[str, str] = {}
        self._queues: list[Queue] = []
        self._read: list[int] = []
        self._came: dict[Owed, int] = {}
        self._first: dict[str, list[Owed]] = defaultdict(list)  # by queue, as they came
        self._causes: dict[Owed, str] = {}
        self._ledger: dict[Owed, set[str]] = defaultdict(set)
        self._by_tenant: dict[str, list[Subscriber]] = defaultdict(list)
        for each in self.subscribers:
            self._by_tenant[each.tenant].append(each)
        for name in dict.fromkeys(each.queue for each in self.subscribers):
            self.create(name)

    def create(self, name: str) -> Queue:
        """The queue, new and empty; what one of this name has taken before counts."""
        queue = self.sqs.create(name)
        self._queues.append(queue)
        self._read.append(0)
        return queue

    @property
    def live(self) -> dict[str, Queue]:
        """The queues that there are, by name."""
        return self.sqs.queues

    async def append(self, count: int) -> set[Owed]:
        """Post `count` events, the tenants in turn; what is owed for them once they are accepted."""
        appended = []
        for number, draft in enumerate(itertools.islice(self._bodies, count)):
            tenant = TENANTS[number % len(TENANTS)]
            draft.entity_id = str(number // len(TENANTS) % ENTITIES)
            event_id, received_ms = new_id(tenant, draft.entity_id, None)
            event = named(draft, event_id)
            owed = [
                Owed(each.id, event_id)
                for each in self._by_tenant[tenant]
                if each.rule.accepts(event)
            ]
            self._entities[event_id] = f"{tenant}:{event.entity_id}"
            record = encode(tenant, event, received_ms, represent(event))
            appended.append((owed, event_id, self.log.append(EVENTS, record)))
        added = set[Owed]()
        for owed, event_id, future in appended:
            try:
                offset = await future
            except (Unaccepted, Unacknowledged):
                self.unknown.add(event_id)  # nobody was told that it is accepted
                continue
            self.events += 1
            for each in owed:
                self.owed[each] = offset
                added.add(each)
        return added

    def look(self) -> None:
        """Read what the queues took since the last look."""
        for number, queue in enumerate(self._queues):
            for entry in queue.taken[self._read[number] :]:
                self._read[number] += 1
                told = entry["MessageAttributes"]
                names = ("subscription_id", "event_id")
                owed = Owed(*(told[name]["StringValue"] for name in names))
                if owed not in self._came:
                    self._first[queue.name].append(owed)
                self._came[owed] = self._came.get(owed, 0) + 1

    async def look_at_log(self) -> None:
        """Read what was given up, and what the ledger says, since the last look."""
        async with asyncio.timeout(ASK_TIMEOUT_S):
            ends = await self.told.end_offsets(self.told.assignment())
            while any([await self.told.position(tp) < end for tp, end in ends.items()]):
                for partition, records in (await self.told.getmany(timeout_ms=500)).items():
                    read = (
                        self._read_dead if partition.topic == DELIVERIES_DEAD else self._read_told
                    )
                    for record in records:
                        read(record)

    def _read_dead(self, record: Any) -> None:
        told = {name: (value or b"").decode() for name, value in record.headers}
        owed = Owed(told.get("subscription_id", ""), told.get("event_id", ""))
        self._causes[owed] = told["error_code"] or told["reason"]

    def _read_told(self, record: Any) -> None:
        told = decode_attempt(record.value)
        self._ledger[Owed(told.subscription_id, told.event_id)].add(told.state)

    async def came(self, wanted: set[Owed] | None = None) -> bool:
        """Whether all that is `wanted`, or owed, is delivered or dead by now."""
        await asyncio.to_thread(self.look)
        await self.look_at_log()
        return (wanted or self.owed.keys()) <= self._came.keys() | self._causes.keys()

    async def until_complete(self, within_s: float, wanted: set[Owed] | None = None) -> None:
        """Return when all that is `wanted`, or owed, has come."""
        try:
            async with asyncio.timeout(within_s):
                while not await self.came(wanted):
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise AssertionError(f"not within {within_s:g} s: {self.verdict()}") from None

    def verdict(self) -> Verdict:
        """As of the last look."""
        settled = self._came.keys() | self._causes.keys()
        accepted = {each for each in settled if each.event_id not in self.unknown}
        return Verdict(
            len(self.owed),
            len(self._came.keys() & self.owed.keys()),
            sorted(self.owed.keys() - settled),
            [each for each in self.owed if not self._ledger[each] & self._states(each)],
            sorted(accepted - self.owed.keys()),
            sum(count - 1 for count in self._came.values()),
            len(self._came.keys() & self._causes.keys()),
            Counter(self._causes.values()),
            [each for each in self._first if each.endswith(".fifo") and not self._in_order(each)],
        )

    def _states(self, owed: Owed) -> set[str]:
        came = {"delivered"} if owed in self._came else set[str]()
        return came | ({"dead"} if owed in self._causes else set())

    def _in_order(self, queue: str) -> bool:
        """Whether each subscription got each entity's events in the order of the log."""
        offsets: dict[tuple[str, str], int] = {}
        for owed in self._first[queue]:
            if owed not in self.owed:
                continue
            at = self.owed[owed]
            key = (owed.subscription_id, self._entities[owed.event_id])
            if offsets.get(key, -1) > at:
                return False
            offsets[key] = at
        return True


async def tell(
    kafka: KafkaConnection, subscribers: list[Subscriber], *, gone: bool = False
) -> None:
    """Write the subscriptions to their topic, or take them away."""
    async with AIOKafkaProducer(**kafka.client_args()) as producer:
        for each in subscribers:
            body = {
                "name": each.queue,
                "filter": each.rule.filter,
                "destination": {"type": "sqs", "arn": arn(each.queue)},
                "enabled": True,
                "labels": {},
                "id": each.id,
            }
            value = None if gone else json.dumps(body).encode()
            await producer.send_and_wait(SUBSCRIPTIONS, value, f"{each.tenant}:{each.id}".encode())


@contextlib.asynccontextmanager
async def deliveries(
    kafka: KafkaConnection, made: list[Subscriber] | None = None
) -> AsyncIterator[Deliveries]:
    """Subscriptions, an SQS of their own that serves, and the log, while the context is open."""
    made = made or subscribers(uuid.uuid4().hex[:8])
    log = EventLog(kafka, (EVENTS,), QueueLimits(1 << 28, 30))
    await log.start()
    told = AIOKafkaConsumer(**kafka.consumer_args())
    async with asyncio.timeout(ASK_TIMEOUT_S):
        await told.start()
        await told._client.set_topics([DELIVERIES, DELIVERIES_DEAD])
        told.assign(
            [
                TopicPartition(topic, number)
                for topic in (DELIVERIES, DELIVERIES_DEAD)
                for number in told.partitions_for_topic(topic) or ()
            ]
        )
        for partition, end in (await told.end_offsets(told.assignment())).items():
            told.seek(partition, end)
        while not log.ready:
            await asyncio.sleep(POLL_S)
    await tell(kafka, made)
    try:
        with StrictSqs().served() as sqs:
            yield Deliveries(log, sqs, made, told)
    finally:
        await tell(kafka, made, gone=True)
        await told.stop()
        await log.stop()

"""What an audit of deliveries reads, in memory: of a router in memory (`delivering.py`), as it is by now."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from contracts.attempts import Attempt
from contracts.topics import DELIVERIES, EVENTS, ROUTE_GROUP, SUBSCRIPTIONS
from processors.consume.replay import Progress
from processors.consume.step import LogRecord
from processors.upkeep.deliveries.account import Account
from processors.upkeep.deliveries.audit import DeliveriesAudit
from processors.upkeep.deliveries.owed import Pair
from processors.upkeep.deliveries.period import Period
from processors.upkeep.deliveries.told import CLOCKS_MS, Ended, Said, Told
from tests.fakes import FakeRecord, FakeRows
from tests.fakes.delivering import FakeLog, FakeTopics

ALWAYS = Period(0, None)


class FakeAudited:
    """Log and table. `subscriptions` are records of that topic; `at_once` records are stored at a time.

    Each question takes a turn of the loop, so that a router goes on in between. Nothing that was told of
    `lost` positions of `deliveries` is in the table.
    """

    def __init__(
        self,
        topics: FakeTopics,
        log: FakeLog,
        subscriptions: Sequence[FakeRecord],
        rows: FakeRows | None = None,
    ) -> None:
        self.topics = topics
        self.log = log
        self.subscriptions = list(subscriptions)
        self.rows = rows or FakeRows()
        self.stored, self.at_once = 0, 1_000_000
        self.lost: set[int] = set()
        self.kept = ""

    async def audit(self, asked: Period = ALWAYS, progress: Progress = lambda *_: None) -> Account:
        """What it says now."""
        log: Any = self
        return await DeliveriesAudit(log, self, self.rows)(asked, progress)

    async def topic_id(self) -> uuid.UUID:
        """See `Log`, here and below."""
        return uuid.UUID(int=7)

    async def bounds(self, topic: str) -> dict[int, tuple[int, int]]:
        await asyncio.sleep(0)
        if topic == SUBSCRIPTIONS:
            return {0: (0, len(self.subscriptions))}
        return await self.log.bounds(topic)

    async def offsets_at(self, topic: str, at_ms: int) -> dict[int, int]:
        await asyncio.sleep(0)
        assert topic == EVENTS
        return {
            number: next((each.offset for each in some if each.timestamp >= at_ms), len(some))
            for number, some in self.log.events.items()
        }

    async def committed(self, group: str, topic: str = EVENTS) -> dict[int, int]:
        await asyncio.sleep(0)
        if topic == EVENTS:
            assert group == ROUTE_GROUP
            return dict(self.log.committed_offsets)
        self.stored = min(self.stored + self.at_once, len(self.topics.records[DELIVERIES]))
        return {0: self.stored}

    async def read(
        self, topic: str, partition: int, first: int, end: int, records_max: int
    ) -> AsyncGenerator[list[LogRecord], None]:
        await asyncio.sleep(0)
        if topic == SUBSCRIPTIONS:
            yield [*self.subscriptions[first:end]]
            return
        async for batch in self.log.read(topic, partition, first, end, records_max):
            yield batch

    async def told(self, partition: int, first: int, end: int, since_ms: int) -> list[Said]:
        """See `Table`, here and below."""
        await asyncio.sleep(0)
        of: defaultdict[tuple[Pair, str], list[Attempt]] = defaultdict(list)
        for each in self._attempts(partition, since_ms):
            if each.until < 0 and each.event_id and first <= each.offset < end:
                pair = Pair(each.offset, each.tenant, each.subscription_id)
                of[pair, each.event_id].append(each)
        events: defaultdict[tuple[int, str, str], list[Told]] = defaultdict(list)
        for (pair, event_id), some in of.items():
            events[pair.offset, pair.tenant, event_id].append(_told(pair, event_id, some))
        return [_said(*event, some) for event, some in events.items()]

    async def ended(self, partition: int, first: int, end: int, since_ms: int) -> list[Ended]:
        await asyncio.sleep(0)
        return [
            Ended(each.tenant, each.subscription_id, each.offset, each.until, each.state)
            for each in self._attempts(partition, since_ms)
            if each.state in ("dead", "cancelled") and each.offset < end and each.until > first
        ]

    async def ttl(self) -> str:
        return self.kept

    def _attempts(self, partition: int, since_ms: int) -> list[Attempt]:
        return [
            each
            for at, each in enumerate(self.topics.attempts[: self.stored])
            if at not in self.lost
            and each.partition == partition
            and each.at >= since_ms - CLOCKS_MS
        ]


def _said(offset: int, tenant: str, event_id: str, told: Sequence[Told]) -> Said:
    once = [each for each in told if each.automatic == 1]
    last_ms = max((each.delivered_ms for each in once), default=0)
    names = [each.pair.subscription_id for each in once]
    others = [each for each in told if each.automatic != 1]
    return Said(offset, tenant, event_id, names, last_ms, others)


def _told(pair: Pair, event_id: str, attempts: Sequence[Attempt]) -> Told:
    delivered = [each for each in attempts if each.state == "delivered"]
    ended = [each for each in attempts if each.state in ("dead", "cancelled")]
    last, latest = ended[-1] if ended else None, attempts[-1]
    return Told(
        pair,
        event_id,
        sum(each.origin == "automatic" for each in delivered),
        bool(delivered),
        min((each.at for each in delivered), default=0),
        last.state if last else "",
        bool(last and (last.code or last.message or last.exhausted)),
        f"{latest.state} at attempt {latest.attempt}",
    )

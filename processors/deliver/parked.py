"""Which subscriptions are behind, by partition of `events`, and from which offset: kept on Kafka.

An event stays on `events`, so what a queue did not take needs no copy: the offset is enough from
which its subscription is to be served again, in order. A record of `deliveries.retry` (compacted)
has the key tenant:subscription:partition and the offset as its value, or none once it has caught
up; its header `since` says when it fell behind, in ms since 1970. It is there before the router commits
an offset behind it. Who has a partition writes its places.
"""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.topics import DELIVERIES_RETRY
from processors.consume.step import LogRecord, Transient
from service.kafka.eventlog import EventLog


class Place(NamedTuple):
    """A subscription in one partition of `events`."""

    tenant: str
    subscription_id: str
    partition: int

    @property
    def key(self) -> bytes:
        """The key of its record."""
        return ":".join(map(str, self)).encode()


class Parked:
    """The places that are behind in our partitions.

    `behind` is the next offset to deliver, `settled` the positions behind it that need nothing any more (as
    long as this process lives), `since_ms` when the place fell behind, `routed` the offset after
    the last that the router has taken in hand, by partition: up to there a place that is behind is served
    apart. `moved` is set when there may be something to do, `generation` changes when partitions go.
    """

    def __init__(self, topic: EventLog) -> None:
        self.behind: dict[Place, int] = {}
        self.since_ms: dict[Place, int] = {}
        self.settled: defaultdict[Place, set[tuple[int, int]]] = defaultdict(set)
        self.routed: dict[int, int] = {}
        self.moved = asyncio.Event()
        self.generation = 0
        self.partitions: frozenset[int] = frozenset()
        self._topic = topic
        self._known = asyncio.Event()
        self._unsaved: set[Place] = set()

    @property
    def known(self) -> bool:
        """Whether the places of our partitions have been read."""
        return self._known.is_set()

    @property
    def subscriptions(self) -> int:
        """How many subscriptions are behind."""
        return len({place[:2] for place in self.behind})

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours from now on; what is behind in them is to be read anew."""
        self.generation += 1
        self.partitions = frozenset(partitions)
        self.behind.clear()
        self.since_ms.clear()
        self.settled.clear()
        self.routed.clear()
        self._unsaved.clear()
        self._known.clear()
        self.moved.set()

    def learn(self, behind: Mapping[Place, tuple[int, int]], routed: Mapping[int, int]) -> None:
        """What the topic says of our partitions, and what the group has committed of them.

        `behind`: offset and time of falling behind.
        """
        ours = {each: it for each, it in behind.items() if each.partition in self.partitions}
        self.behind = {each: offset for each, (offset, _) in ours.items()}
        self.since_ms = {each: since_ms for each, (_, since_ms) in ours.items()}
        self.routed = {each: at for each, at in routed.items() if each in self.partitions}
        self._known.set()

    async def is_known(self, within_s: float) -> bool:
        """Whether `known` holds within that time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), within_s)
        return self.known

    def take(self, records: Iterable[LogRecord]) -> None:
        """The router has these in hand: whoever is behind by now gets them apart."""
        self.routed |= {record.partition: record.offset + 1 for record in records}

    def move(self, place: Place, offset: int, settled: Iterable[tuple[int, int]] = ()) -> None:
        """`place` has everything before `offset` and what is `settled`, and may lack the rest."""
        kept = {*self.settled[place], *settled}
        self.settled[place] = {
            each for each in kept if each[0] == place.partition and each[1] > offset
        }
        if self.behind.get(place) != offset:
            self.behind[place] = offset
            self.since_ms.setdefault(place, _now_ms())
            self._unsaved.add(place)
        self.moved.set()

    def forget(self, place: Place) -> None:
        """`place` is served with the others again."""
        self.since_ms.pop(place, None)
        self.settled.pop(place, None)
        if self.behind.pop(place, None) is not None:
            self._unsaved.add(place)

    async def save(self) -> None:
        """On return Kafka has what has changed. Raises `Transient`."""
        places, generation = list(self._unsaved), self.generation
        if not places:
            return
        states = [self.behind.get(place) for place in places]
        records = [
            new_record(
                place.key,
                None if offset is None else str(offset).encode(),
                encode_headers([("since", str(self.since_ms.get(place, 0)).encode())]),
                _now_ms(),
            )
            for place, offset in zip(places, states, strict=True)
        ]
        failures = await self._topic.append_all(DELIVERIES_RETRY, records)
        if generation != self.generation:
            return
        for place, offset, failure in zip(places, states, failures, strict=True):
            if failure is None and self.behind.get(place) == offset:
                self._unsaved.discard(place)
        if failed := next(filter(None, failures), None):
            raise Transient(f"{DELIVERIES_RETRY} does not take what waits: {failed}") from failed


def read_place(record: LogRecord) -> tuple[Place, tuple[int, int] | None]:
    """A record of the topic: the place, offset and time. Raises `ValueError`."""
    tenant, subscription_id, partition = (record.key or b"").decode().rsplit(":", 2)
    place = Place(tenant, subscription_id, int(partition))
    if record.value is None:
        return place, None
    since = dict(record.headers).get("since")  # none in records of the first release
    return place, (int(record.value), record.timestamp if since is None else int(since))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

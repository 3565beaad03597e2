"""Which subscriptions are behind, and where: the places in our partitions, kept on Kafka.

Each is there before the router commits an offset behind it. Who has a partition writes its places.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence, Set

from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.topics import DELIVERIES_RETRY
from processors.consume.step import Transient
from processors.deliver.lane import Key, Lane
from processors.deliver.place import CLAIM, UNKNOWN, Behind, Place, written
from service.kafka.eventlog import EventLog

NO_HEADERS = encode_headers([])
CATCH_UP_TIMEOUT_S = 5.0
"""How long a step or a decision waits for what Kafka says of places and subscriptions."""


class Places:
    """The places that are behind in our partitions.

    `routed` is the offset after the last that the router has taken in hand, by partition: up to there
    a place that is behind is served apart. `woken` are the lanes that may have something to do, `moved` says
    that there are some; `generation` changes when partitions go. `in_hand` is the first offset of the
    router's batch, by partition: it may be tried again, so what was settled of it is remembered. `matching`
    is the first of it that is not matched yet.
    """

    def __init__(self, topic: EventLog) -> None:
        self.behind: dict[Place, Behind] = {}
        self.routed: dict[int, int] = {}
        self.in_hand: dict[int, int] = {}
        self.matching: dict[int, int] = {}
        self.woken: set[Key] = set()
        self.moved = asyncio.Event()
        self.generation = 0
        self.partitions: frozenset[int] = frozenset()
        self._name = ""
        self._done: dict[Place, Behind] = {}
        self._by_lane: dict[Key, set[Place]] = {}
        self._topic = topic
        self._known = asyncio.Event()
        self._unsaved: set[Place] = set()

    @property
    def known(self) -> bool:
        """Whether the places of our partitions have been read."""
        return self._known.is_set()

    def lanes(self) -> Set[Key]:
        """The subscriptions that are behind."""
        return self._by_lane.keys()

    def position(self, partition: int) -> int | None:
        """The first offset that is not matched with the subscriptions yet; None where nothing was."""
        return self.matching.get(partition, self.routed.get(partition))

    def of(self, lane: Key) -> list[Place]:
        """Where a subscription is behind."""
        return sorted(self._by_lane.get(lane, ()))

    def oldest_ms(self, stopped: Collection[Key]) -> int | None:
        """When the first of those that are behind fell behind, but for those that are stopped."""
        served = (each for place, each in self.behind.items() if place.lane not in stopped)
        return min((each.since_ms for each in served), default=None)

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours from now on; what is behind in them is to be read anew."""
        self.generation += 1
        self._name = uuid.uuid4().hex
        self.partitions = frozenset(partitions)
        for each in (
            self.behind,
            self._by_lane,
            self.routed,
            self.in_hand,
            self.matching,
            self.woken,
            self._unsaved,
            self._done,
        ):
            each.clear()
        self._known.clear()
        self.moved.set()

    def learn(self, behind: Mapping[Place, Behind], routed: Mapping[int, int]) -> None:
        """What the topic says of our partitions, and what the group has committed of them."""
        self.behind = {each: it for each, it in behind.items() if each.partition in self.partitions}
        self.routed = {each: at for each, at in routed.items() if each in self.partitions}
        self._by_lane = {}
        for place in self.behind:
            self._by_lane.setdefault(place.lane, set()).add(place)
        self.woken = set(self._by_lane)
        self._unsaved = {each for each, it in self.behind.items() if it.started == UNKNOWN}
        self._known.set()

    async def is_known(self, within_s: float) -> bool:
        """Whether `known` holds within that time."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), within_s)
        return self.known

    def take(self, ends: Mapping[int, int]) -> None:
        """The router has everything before these offsets in hand: whoever is behind gets it apart."""
        self.routed |= ends
        self.matching |= ends

    def failed(self, lanes: Iterable[Key]) -> None:
        """The router's batch comes again: nothing of it counts as matched, nor as settled for these."""
        self.matching = dict(self.in_hand)
        for place in (place for lane in lanes for place in self.of(lane)):
            if place.partition in self.in_hand:  # one put behind what had failed by then
                self.lower(place, self.in_hand[place.partition])

    def put(self, place: Place, now: Behind, *, anew: bool = False) -> None:
        """`place` is behind, like this; where it was so before and not `anew`, since then, of that start."""
        before = self.behind.get(place)
        if before is None or anew:
            now = now._replace(since_ms=_now_ms())
        else:
            now = now._replace(since_ms=before[2], started=before.started, skip_to=before.skip_to)
        if before != now:
            self.behind[place] = now
            self._by_lane.setdefault(place.lane, set()).add(place)
            self._unsaved.add(place)
        self.wake(place.lane)

    def lower(self, place: Place, offset: int) -> None:
        """Where `place` is behind, from `offset` on nothing is settled but what its lane remembers."""
        now = self.behind.get(place)
        if now is not None and now.next_offset > offset:
            before = {each: tries for each, tries in now.stragglers.items() if each < offset}
            self.put(place, now._replace(next_offset=offset, stragglers=before))

    def wake(self, lane: Key) -> None:
        """It may have something to do, if it is behind."""
        if lane in self._by_lane:
            self.woken.add(lane)
            self.moved.set()

    def forget(self, place: Place) -> None:
        """`place` is served with the others again."""
        before = self.behind.pop(place, None)
        if before is None:
            return
        self._done[place] = Behind(self.routed.get(place.partition, before.next_offset), {})
        self._unsaved.add(place)
        left = self._by_lane[place.lane] - {place}
        if left:
            self._by_lane[place.lane] = left
        else:
            del self._by_lane[place.lane]

    def drop(self, lane: Lane, partition: int, before: int) -> None:
        """Nobody asks what became of these offsets again, but of those in hand."""
        lane.forget(partition, min(before, self.in_hand.get(partition, before)))

    async def claim(self) -> None:
        """On return Kafka has whose our partitions are, behind what others wrote. Raises `Transient`."""
        name = self._name.encode()
        claims = [(f"{CLAIM}{each}".encode(), name, NO_HEADERS) for each in self.partitions]
        if failed := next(filter(None, await self._append(claims)), None):
            raise Transient(f"{DELIVERIES_RETRY} does not take a claim: {failed}") from failed

    async def _append(self, told: Sequence[tuple[bytes, bytes, bytes]]) -> list[Exception | None]:
        records = [new_record(key, value, headers, _now_ms()) for key, value, headers in told]
        return await self._topic.append_all(DELIVERIES_RETRY, records)

    async def save(self) -> None:
        """On return Kafka has what has changed. Raises `Transient`."""
        places, generation = list(self._unsaved), self.generation
        if not places:
            return
        states = [self.behind.get(place) for place in places]
        failures = await self._append(
            [
                (place.key, *written(state or self._done[place], self._name, done=state is None))
                for place, state in zip(places, states, strict=True)
            ]
        )
        if generation != self.generation:
            return
        for place, state, failure in zip(places, states, failures, strict=True):
            if failure is None and self.behind.get(place) == state:
                self._unsaved.discard(place)
                if state is None:
                    self._done.pop(place, None)
        if failed := next(filter(None, failures), None):
            raise Transient(f"{DELIVERIES_RETRY} does not take what waits: {failed}") from failed


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

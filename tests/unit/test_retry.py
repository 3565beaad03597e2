"""A subscription that is behind: what is given up, what is not, and how many calls it is worth."""

import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from processors.consume.step import LogRecord
from processors.deliver import deliver as delivering
from processors.deliver.deliver import Deliver
from processors.deliver.outcomes import Outcome, State
from processors.deliver.parked import Parked, Place
from processors.deliver.retry import Patience, Retry
from tests.builders import an_event, represented
from tests.fakes import FakeRecord
from tests.unit.test_deliver import ID, Dead, a_table

PLACE = Place("acme", "one", 0)
COUNT = 30
DAY_S = 24 * 3600.0
OLD_MS = int((time.time() - 2 * DAY_S) * 1000)


class Queues:
    """Takes so many calls, and says `then` of those that come after; counts calls under way."""

    def __init__(self, calls: int, then: State) -> None:
        self.sent: list[int] = []
        self.most = self._now = 0
        self._calls, self._then = calls, then

    async def send(
        self, destination: SqsDestination, deliveries: Sequence[Delivery]
    ) -> list[Outcome]:
        self._now += 1
        self.most = max(self.most, self._now)
        self._calls -= 1
        state: State = "sent" if self._calls >= 0 else self._then
        if state == "sent":
            self.sent += [each.position[1] for each in deliveries]
        self._now -= 1
        return [Outcome(each, state, "Some") for each in deliveries]


class Log:
    """The log, of one partition."""

    async def read(
        self, topic: str, partition: int, first: int, end: int, count: int
    ) -> AsyncIterator[list[LogRecord]]:
        yield [
            FakeRecord(represented(an_event(), ID), 0, offset, timestamp=OLD_MS)
            for offset in range(first, end)
        ]


class Follower:
    """Knows the subscriptions."""

    table = a_table("one")


async def turn(queues: Any, since_ms: int, *, turns: int = 1) -> tuple[Parked, int]:
    """Take turns for a place that has `COUNT` events to come; how many were given up."""
    nothing: Any = None
    follower: Any = Follower()
    dead: Any = Dead()
    log: Any = Log()
    parked = Parked(nothing)
    parked.assigned({0})
    parked.learn({PLACE: (0, since_ms)}, {0: COUNT})
    retry = Retry(parked, follower, Deliver(queues, dead), nothing, Patience(300.0, DAY_S))
    for _ in range(turns):
        await retry._turn(log, PLACE, 0)
    return parked, len(dead.records)


async def test_a_queue_that_takes_nothing_for_a_day_has_its_events_given_up() -> None:
    parked, given_up = await turn(Queues(0, "not_now"), OLD_MS)
    assert (given_up, parked.behind) == (COUNT, {PLACE: COUNT})


async def test_who_fell_behind_lately_is_owed_old_events_for_a_day() -> None:
    parked, given_up = await turn(Queues(0, "not_now"), int(time.time() * 1000))
    assert (given_up, parked.behind) == (0, {PLACE: 0})


async def test_of_a_queue_that_recovers_and_is_throttled_what_was_not_tried_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queues = Queues(1, "again")
    monkeypatch.setattr(delivering, "PATIENCE_S", -1.0)
    _, given_up = await turn(queues, OLD_MS)
    assert len(queues.sent) == 10
    assert given_up == COUNT - 10  # tried beside it, in the same wave
    slow = Queues(1000, "again")
    _, given_up = await turn(slow, OLD_MS, turns=2)
    assert (given_up, slow.sent) == (0, [*range(COUNT)])


async def test_who_failed_last_time_is_tried_with_a_single_call() -> None:
    queues = Queues(1, "again")
    parked, _ = await turn(queues, int(time.time() * 1000))
    assert parked.behind == {PLACE: 10}
    queues = Queues(0, "again")
    parked, _ = await turn(queues, int(time.time() * 1000), turns=2)
    assert queues._calls == -3 - 1  # a wave of three, then a single one

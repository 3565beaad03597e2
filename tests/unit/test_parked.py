"""Who is behind: kept on Kafka before anything goes on, and never forgotten by an old answer."""

from collections.abc import Sequence
from typing import Any

import pytest

from contracts.encoding.recordbatch import Record
from processors.consume.step import Transient
from processors.deliver.parked import Parked, Place, read_place
from service.kafka.partition import Unaccepted
from tests.fakes import FakeRecord
from tests.records import consumed

PLACE = Place("acme", "01a20d33-994f-74a1-8936-e15ecec113da", 3)


class Topic:
    """Stands for `deliveries.retry`; refuses while `away`."""

    def __init__(self) -> None:
        self.away = False
        self.states: list[tuple[Place, tuple[int, int] | None]] = []

    async def append_all(self, topic: str, records: Sequence[Record]) -> list[Exception | None]:
        if self.away:
            return [Unaccepted("away") for _ in records]
        self.states += [read_place(consumed(record)) for record in records]
        return [None for _ in records]


def parked(topic: Topic) -> Parked:
    log: Any = topic
    made = Parked(log)
    made.assigned({3})
    made.learn({PLACE: (7, 1000), PLACE._replace(partition=4): (1, 1000)}, {3: 9, 4: 9})
    return made


def test_only_our_partitions_are_learned() -> None:
    made = parked(Topic())
    assert (made.behind, made.routed, made.subscriptions) == ({PLACE: 7}, {3: 9}, 1)


async def test_a_change_stays_unsaved_until_kafka_has_it() -> None:
    topic = Topic()
    made = parked(topic)
    topic.away = True
    made.move(PLACE, 8)
    with pytest.raises(Transient):
        await made.save()
    topic.away = False
    made.forget(PLACE)
    await made.save()
    await made.save()
    assert topic.states == [(PLACE, None)]


async def test_when_it_fell_behind_is_kept_while_it_moves() -> None:
    topic = Topic()
    made = parked(topic)
    made.move(PLACE, 8)
    await made.save()
    assert topic.states == [(PLACE, (8, 1000))]
    made.forget(PLACE)
    made.move(PLACE, 9)
    assert made.since_ms[PLACE] > 1000


def test_what_was_sent_behind_the_first_that_waits_is_remembered_for_its_place() -> None:
    made = parked(Topic())
    made.move(PLACE, 8, {(3, 7), (3, 9), (4, 9)})
    made.move(PLACE, 8, {(3, 11)})
    assert made.settled[PLACE] == {(3, 9), (3, 11)}
    made.move(PLACE, 10)
    assert made.settled[PLACE] == {(3, 11)}


def test_a_place_of_the_first_release_is_behind_since_its_record() -> None:
    record = FakeRecord(b"7", timestamp=1000, key=PLACE.key)
    assert read_place(record) == (PLACE, (7, 1000))


async def test_what_others_may_have_now_is_neither_known_nor_written() -> None:
    topic = Topic()
    made = parked(topic)
    made.move(PLACE, 8)
    made.assigned({3})
    assert not await made.is_known(0.01)
    await made.save()
    assert (topic.states, made.behind, made.routed) == ([], {}, {})


def test_what_is_in_hand_counts_as_routed() -> None:
    made = parked(Topic())
    made.take([FakeRecord(b"", 3, offset) for offset in (9, 10, 11)])
    assert made.routed == {3: 12}

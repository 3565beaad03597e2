"""Who is behind: kept on Kafka before anything goes on, and never forgotten by an old answer."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.topics import DELIVERIES_RETRY
from processors.consume.step import Transient
from processors.deliver.place import STRAGGLERS_MAX, Behind, Place, behind, read_place
from processors.deliver.places import Places
from tests.fakes import FakeRecord
from tests.fakes.delivering import FakeTopics

PLACE = Place("acme", "01a20d33-994f-74a1-8936-e15ecec113da", 3)


def places(topics: FakeTopics) -> Places:
    log: Any = topics
    made = Places(log)
    made.assigned({3})
    elsewhere = PLACE._replace(partition=4)
    made.learn({PLACE: Behind(7, {}, 1000), elsewhere: Behind(1, {}, 1000)}, {3: 9, 4: 9})
    return made


def written(topics: FakeTopics) -> list[tuple[Place, Behind | None]]:
    read = map(read_place, topics.records[DELIVERIES_RETRY])
    return [(each.place, None if each.done else each.state) for each in read]


def test_only_our_partitions_are_learned() -> None:
    made = places(FakeTopics())
    assert (made.behind, made.routed) == ({PLACE: Behind(7, {}, 1000)}, {3: 9})
    lanes = {PLACE.lane}
    assert (made.lanes(), made.of(PLACE.lane), made.woken) == (lanes, [PLACE], lanes)


async def test_a_change_stays_unsaved_until_kafka_has_it() -> None:
    topics = FakeTopics()
    made = places(topics)
    topics.away.add(DELIVERIES_RETRY)
    made.put(PLACE, Behind(8, {}))
    with pytest.raises(Transient):
        await made.save()
    topics.away.clear()
    made.forget(PLACE)
    await made.save()
    await made.save()
    assert written(topics) == [(PLACE, None)]
    assert not made.lanes()


async def test_when_it_fell_behind_is_kept_while_it_moves() -> None:
    topics = FakeTopics()
    made = places(topics)
    made.put(PLACE, Behind(8, {5: 2}))
    await made.save()
    assert written(topics) == [(PLACE, Behind(8, {5: 2}, 1000))]
    made.forget(PLACE)
    made.put(PLACE, Behind(9, {}))
    assert made.behind[PLACE].since_ms > 1000


@given(
    st.sets(st.integers(0, 1000), max_size=200),
    st.dictionaries(st.integers(0, 1000), st.integers(1, 9)),
)
async def test_what_is_left_is_read_again_whole(left: set[int], attempts: dict[int, int]) -> None:
    state = behind(sorted(left), 1001, attempts)
    topics = FakeTopics()
    made = places(topics)
    made.put(PLACE, state)
    await made.save()
    [(_, found)] = written(topics)
    assert found == state._replace(since_ms=1000)
    assert len(state.stragglers) <= STRAGGLERS_MAX
    assert left == set(state.stragglers) | {each for each in left if each >= state.next_offset}
    assert state.first == min(left, default=1001)
    assert all(attempts.get(each, 0) == tries for each, tries in state.stragglers.items())


def test_records_of_earlier_releases_are_places_without_stragglers() -> None:
    record = FakeRecord(b"7", timestamp=1000, key=PLACE.key, headers=())
    assert read_place(record)[:2] == (PLACE, Behind(7, {}, 1000))
    record = FakeRecord(b"7", timestamp=1000, key=PLACE.key, headers=(("since", b"900"),))
    assert read_place(record)[:2] == (PLACE, Behind(7, {}, 900))


async def test_what_others_may_have_now_is_neither_known_nor_written() -> None:
    topics = FakeTopics()
    made = places(topics)
    made.put(PLACE, Behind(8, {}))
    made.assigned({3})
    assert not await made.is_known(0.01)
    await made.save()
    assert (written(topics), made.behind, made.routed) == ([], {}, {})

"""Seconds until a loss: right at every time, and never later than what is known allows."""

import math
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError
from hypothesis import given
from hypothesis import strategies as st

from service.kafka.backlog import Backlog, seconds_until_loss, since

PARTITION = TopicPartition("events", 0)
times = st.integers(min_value=0, max_value=1 << 42)
retentions = st.integers(min_value=0, max_value=1 << 40)


@given(times, times, retentions)
def test_the_record_leaves_when_its_time_and_the_retention_are_over(
    since_ms: int, now_ms: int, retention_ms: int
) -> None:
    left_s = seconds_until_loss(Backlog(0, 1, since_ms), retention_ms, now_ms)
    assert (left_s == 0) == (since_ms + retention_ms <= now_ms)
    assert left_s == 0 or now_ms + left_s * 1000 == pytest.approx(since_ms + retention_ms, abs=1)


@given(times, times)
def test_nothing_leaves_a_log_that_is_kept_for_ever(since_ms: int, now_ms: int) -> None:
    assert seconds_until_loss(Backlog(0, 1, since_ms), -1, now_ms) == math.inf


class Unreadable:
    """Stands for an observer whose fetch brings nothing, or is refused."""

    def __init__(self, refused: bool) -> None:
        self._refused = refused

    def seek(self, partition: TopicPartition, offset: int) -> None: ...

    def pause(self, partition: TopicPartition) -> None: ...

    def resume(self, partition: TopicPartition) -> None: ...

    async def getmany(self, *partitions: TopicPartition, **limits: int) -> dict[Any, Any]:
        if self._refused:
            raise OffsetOutOfRangeError({PARTITION: 0})
        return {}


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(
    ("known", "found_ms"),
    [
        (Backlog(3, 9, 1_000), 1_000),  # an earlier record: this one is younger
        (Backlog(7, 0, 2_000), 2_000),  # seen when nothing waited: it came later
        (Backlog(7, 2, 3_000), 3_000),  # the record itself
        (Backlog(8, 1, 4_000), None),  # a later one says nothing of this
        (None, None),
    ],
)
async def test_a_record_that_cannot_be_read_has_the_time_of_what_is_known_before_it(
    known: Backlog | None, found_ms: int | None, refused: bool
) -> None:
    observer: Any = Unreadable(refused)
    assert await since(observer, PARTITION, 7, known) == found_ms

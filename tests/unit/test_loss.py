"""Where a group may go on: what is asked twice, what is refused, what ends the wait for Kafka."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaError
from hypothesis import given
from hypothesis import strategies as st

from processors.consume import loss
from processors.consume.loss import Guard, Place, RecordsLost

PARTITION = TopicPartition("events", 0)
offsets = st.integers(min_value=0, max_value=50)


class Log:
    """Stands for the aiokafka consumer of one partition; `ends` and `failures` are used up one by one."""

    def __init__(self, committed: int | None, start: int, *ends: int) -> None:
        self.at = committed
        self.sought: list[int] = []
        self.failures: list[Exception] = []
        self._start = start
        self._ends = list(ends)

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[Any, int]:
        if self.failures:
            raise self.failures.pop(0)
        return {PARTITION: self._start}

    async def committed(self, partition: TopicPartition) -> int | None:
        return self.at

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[Any, int]:
        return {PARTITION: self._ends.pop(0) if len(self._ends) > 1 else self._ends[0]}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    async def commit(self, moved: dict[TopicPartition, int]) -> None:
        self.at = moved[PARTITION]


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss, "CONFIRM_S", 0.05)
    monkeypatch.setattr(loss, "PAUSE_S", 0.005)
    monkeypatch.setattr(loss, "HOLD_TIMEOUT_S", 1.0)


def hold(log: Log, accept_loss: bool = False) -> None:
    asyncio.run(Guard("g", accept_loss).hold(log, {PARTITION}))


@given(offsets | st.none(), offsets, offsets)
def test_an_offset_is_outside_when_its_record_is_gone_or_was_never_there(
    committed: int | None, start: int, count: int
) -> None:
    place = Place(PARTITION, committed, start, start + count)
    assert place.outside == (
        committed is not None and committed not in range(start, start + count + 1)
    )


def test_a_broker_that_does_not_know_the_logs_end_yet_is_asked_again() -> None:
    log = Log(100, 0, 90, 95, 120)
    hold(log)
    assert (log.at, log.sought) == (100, [])


@pytest.mark.parametrize(
    ("log", "said"),
    [
        (Log(2, 5, 9), "events-0: committed 2, first in Kafka 5, 3 records lost"),
        (Log(10, 5, 9), "events-0: committed 10, first in Kafka 5, past the log's end 9"),
    ],
)
def test_an_offset_outside_the_log_is_refused_and_nothing_moves(log: Log, said: str) -> None:
    before = log.at
    with pytest.raises(RecordsLost, match=said):
        hold(log)
    assert (log.at, log.sought) == (before, [])


@pytest.mark.parametrize("log", [Log(2, 5, 9), Log(10, 5, 9), Log(None, 5, 9)])
def test_a_new_group_and_an_accepted_loss_go_on_at_the_logs_start(log: Log) -> None:
    hold(log, accept_loss=log.at is not None)
    assert (log.at, log.sought) == (5, [5])


def test_a_failure_of_kafka_is_asked_through_and_bounded() -> None:
    log = Log(7, 5, 9)
    log.failures = [KafkaError("away")] * 3
    hold(log)
    assert log.failures == []
    log.failures = [KafkaError("away")] * 1000
    with pytest.raises(TimeoutError, match="Kafka has not said within 1 s"):
        hold(log)


def test_partitions_that_went_to_another_process_are_left_to_it() -> None:
    log = Log(7, 5, 9)
    log.failures = [CommitFailedError("rebalanced")]
    hold(log)
    assert (log.at, log.sought) == (7, [])

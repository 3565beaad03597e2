"""When a consumer counts as stuck: records wait while it is looked at, again and again."""

import asyncio
import contextlib
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from processors.consume.consume import Consume
from processors.consume.loss import Guard
from processors.consume.watchdog import LOOKS, StuckConsumer, watch
from processors.materialize.step import Materialize
from tests.fakes import FakeRows

PARTITION = TopicPartition("events", 0)
STUCK_AFTER_S = 4000.0
IDLE_LOOKS = 20


class Idle:
    """Stands for the aiokafka consumer; `waits` says by look whether a record waits in Kafka."""

    def __init__(self, waits: list[bool | None]) -> None:
        self._waits = waits

    def assignment(self) -> set[TopicPartition]:
        return {PARTITION}

    async def end_offsets(self, partitions: object) -> dict[Any, int]:
        waits = self._waits.pop(0)
        if waits is None:
            raise KafkaError("away")
        return {PARTITION: 7 + waits}

    async def position(self, partition: TopicPartition) -> int:
        return 7


def watched(
    monkeypatch: pytest.MonkeyPatch, waits: list[bool | None], batches: tuple[int, ...] = ()
) -> Consume:
    """Looked at as often as `waits` is long; before the looks in `batches` a batch comes."""
    nothing: Any = None
    consume = Consume(Materialize(FakeRows()), nothing, 1, Guard("g"))
    consume.consumer_of = lambda: Idle(waits)
    looks, slept = len(waits), 0

    async def sleep(delay_s: float) -> None:
        nonlocal slept
        if slept == looks:
            raise asyncio.CancelledError
        consume.batches += slept in batches
        slept += 1
        assert delay_s * LOOKS == STUCK_AFTER_S

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await watch(consume, STUCK_AFTER_S)

    asyncio.run(run())
    return consume


def test_a_record_that_comes_after_a_long_quiet_time_stops_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quiet: list[bool | None] = [False] * IDLE_LOOKS
    assert watched(monkeypatch, [*quiet, True, False]).failure is None


def test_a_record_that_waits_for_all_of_the_time_does(monkeypatch: pytest.MonkeyPatch) -> None:
    consume = watched(monkeypatch, [False, *[True] * (LOOKS + 1)])
    assert isinstance(consume.failure, StuckConsumer)
    assert "4000 s" in str(consume.failure)


@pytest.mark.parametrize("between", [False, None])
def test_the_wait_begins_anew_when_nothing_waits_or_kafka_is_away(
    monkeypatch: pytest.MonkeyPatch, between: bool | None
) -> None:
    waits: list[bool | None] = [True] * LOOKS
    assert watched(monkeypatch, [*waits, between, *waits]).failure is None


def test_a_consumer_that_lags_and_moves_is_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[bool | None] = [True] * IDLE_LOOKS
    assert watched(monkeypatch, waits, tuple(range(0, IDLE_LOOKS, LOOKS))).failure is None

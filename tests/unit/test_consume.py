"""Coverage and batches when partitions move or Kafka fails: nothing stored late, nothing committed early."""

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from processors.consume import consume as consuming
from processors.consume.consume import Consume
from processors.consume.loss import Guard
from processors.materialize.step import Materialize
from tests.builders import an_event, represented
from tests.fakes import FakeRecord, FakeRows

VALUE = represented(an_event(), "01a20d33-994f-74a1-8936-e15ecec113da")
PARTITION = TopicPartition("events", 0)
BATCH = [FakeRecord(VALUE, 0, offset) for offset in range(3)]


class SlowRows(FakeRows):
    """A table whose running inserts are over when it is told so."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        self.asked.set()
        await self.answers.wait()


class Committer:
    """Stands for the aiokafka consumer of a log of three; the first `fails` commits are lost."""

    def __init__(self, fails: int = 0) -> None:
        self.commits: list[dict[TopicPartition, int]] = []
        self.assigned = {PARTITION}
        self._fails = fails

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 0)

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[Any, int]:
        return dict.fromkeys(partitions, len(BATCH))

    async def committed(self, partition: TopicPartition) -> int:
        return self.commits[-1][partition] if self.commits else 0

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self._fails:
            self._fails -= 1
            raise KafkaError("lost")
        self.commits.append(offsets)


def a_consume(table: FakeRows, committer: Committer) -> Consume:
    rejected: Any = None  # no record here is rejected
    made = Consume(Materialize(table), rejected, 0.01, Guard("events.materialize"))
    made.consumer_of = lambda: committer
    return made


async def within_s(seconds: float, doing: Awaitable[None]) -> None:
    async with asyncio.timeout(seconds):
        await doing


async def test_a_batch_whose_partitions_went_before_it_was_done_is_not_stored_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its new owner has read the table back by then: what came later would be there twice."""
    monkeypatch.setattr(consuming, "REVOKE_TIMEOUT_S", 0.05)
    table, committer = SlowRows(), Committer()
    consume = a_consume(table, committer)
    handled = asyncio.create_task(consume.handle(BATCH))
    await within_s(5, wait(table.asked))
    await within_s(5, consume.on_partitions_revoked([PARTITION]))
    await consume.on_partitions_assigned([PARTITION])  # it may come back to us at once
    table.answers.set()
    await within_s(5, handled)
    assert consume.failure is None
    assert table.stored == []
    assert committer.commits == []
    await within_s(5, consume.handle(BATCH))
    assert table.stored == [(0, 0), (0, 1), (0, 2)]
    assert committer.commits == [{PARTITION: 3}]


async def test_a_batch_that_ends_in_time_is_committed_before_its_partitions_go() -> None:
    table, committer = SlowRows(), Committer()
    consume = a_consume(table, committer)
    handled = asyncio.create_task(consume.handle(BATCH))
    await within_s(5, wait(table.asked))
    revoked = asyncio.create_task(consume.on_partitions_revoked([PARTITION]))
    table.answers.set()
    await within_s(5, asyncio.shield(revoked))
    assert committer.commits == [{PARTITION: 3}]
    await within_s(5, handled)


@pytest.mark.parametrize("stays", [False, True])
async def test_a_batch_that_was_read_just_before_its_partitions_went_waits_for_where_they_go(
    monkeypatch: pytest.MonkeyPatch, stays: bool
) -> None:
    monkeypatch.setattr(consuming, "FIRST_PAUSE_S", 0.01)
    table, committer = FakeRows(), Committer()
    consume = a_consume(table, committer)
    await consume.on_partitions_revoked([PARTITION])
    handled = asyncio.create_task(consume.handle(BATCH))
    await asyncio.wait({handled}, timeout=0.1)
    assert table.stored == []  # meanwhile another process may be reading the table back
    committer.assigned = {PARTITION} if stays else set()
    await consume.on_partitions_assigned(committer.assigned)
    await within_s(5, handled)
    assert len(table.stored) == len(BATCH) * stays
    assert len(committer.commits) == stays


async def test_after_a_lost_commit_the_batch_is_committed_again_and_stored_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(consuming, "FIRST_PAUSE_S", 0.01)
    table, committer = FakeRows(), Committer(fails=2)
    await within_s(5, a_consume(table, committer).handle(BATCH))
    assert table.stored == [(0, 0), (0, 1), (0, 2)]
    assert committer.commits == [{PARTITION: 3}]


async def wait(event: asyncio.Event) -> None:
    await event.wait()

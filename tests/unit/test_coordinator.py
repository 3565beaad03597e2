"""Errors that aiokafka's group coordinator leaves unheard or unsaid."""

import asyncio
import functools
import gc
import logging
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupLoadInProgressError,
    KafkaError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.commit import OffsetFetchResponse_v3

from processors.coordinator import hear_group_errors

PARTITION = TopicPartition("events", 0)


class Coordinator:
    """What the methods under test need of a coordinator whose broker answers `code` for the group."""

    def __init__(self, code: int) -> None:
        hear_group_errors()
        self.group_id = "events.route"
        self.coordinator_id: int | None = 1
        self._client = self
        self._code = code
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._commit_refresh_task: asyncio.Task[None] | None = None
        self._send_req = functools.partial(GroupCoordinator._send_req, self)

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        topics = [("events", [(0, 7, "", 0)])] if not self._code else []
        return OffsetFetchResponse_v3(0, topics, self._code)

    def coordinator_dead(self) -> None:
        self.coordinator_id = None

    async def offsets(self) -> dict[TopicPartition, Any]:
        return dict(await GroupCoordinator._do_fetch_commit_offsets(self, [PARTITION]))


@pytest.mark.parametrize(
    ("error", "stays"), [(GroupLoadInProgressError, 1), (NotCoordinatorForGroupError, None)]
)
def test_an_error_of_the_whole_group_is_not_taken_for_no_offset(
    error: type[KafkaError], stays: int | None
) -> None:
    coordinator = Coordinator(error.errno)
    with pytest.raises(error):
        asyncio.run(coordinator.offsets())
    assert error.retriable
    assert coordinator.coordinator_id == stays


def test_an_answer_without_error_is_told() -> None:
    assert asyncio.run(Coordinator(0).offsets())[PARTITION].offset == 7


def test_why_a_heartbeat_or_a_refresh_ended_is_said_once_and_by_us(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise KafkaError("unexpected")

    async def check() -> None:
        coordinator: Any = Coordinator(0)
        for name in ("_heartbeat_task", "_commit_refresh_task"):
            setattr(coordinator, name, asyncio.create_task(fails()))
            await asyncio.wait({getattr(coordinator, name)})
        await GroupCoordinator._stop_heartbeat_task(coordinator)
        await GroupCoordinator._stop_commit_offsets_refresh_task(coordinator)
        gc.collect()

    with caplog.at_level(logging.WARNING):
        asyncio.run(check())
    assert [record.name for record in caplog.records] == ["processors.coordinator"] * 2
    assert all("unexpected" in record.getMessage() for record in caplog.records)

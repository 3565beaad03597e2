"""What aiokafka's group coordinator leaves unheard, unsaid or undone.

How a member joins and leaves is in tests/adapters/test_membership.py.
"""

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
from aiokafka.protocol.coordination import (
    FindCoordinatorRequest,
    FindCoordinatorResponse_v0,
)
from aiokafka.protocol.group import JoinGroupRequest

from service.connections import KafkaConnection
from service.kafka.backlog import observing
from service.kafka.coordinator import GroupAdmin, mend_coordinator

PARTITION = TopicPartition("events", 0)


class Coordinator:
    """What the methods under test need of a coordinator whose broker answers `code` for the group."""

    def __init__(self, code: int) -> None:
        mend_coordinator()
        self.group_id = "events.route"
        self.coordinator_id: int | None = 1
        self._client = self
        self._code = code
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._commit_refresh_task: asyncio.Task[None] | None = None
        self._coordination_task: asyncio.Task[None] | None = None
        self.member_id = ""  # of no group
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self.answers.set()
        for name in (
            *("_send_req", "_stop_heartbeat_task", "_stop_commit_offsets_refresh_task"),
            "_maybe_leave_group",
        ):
            setattr(self, name, functools.partial(getattr(GroupCoordinator, name), self))

    async def send(self, node: int, request: Any, **options: Any) -> Any:
        self.asked.set()
        await self.answers.wait()
        topics = [("events", [(0, 7, "", 0)])] if not self._code else []
        return OffsetFetchResponse_v3(0, topics, self._code)

    def reset_generation(self) -> None:
        pass

    def coordinator_dead(self) -> None:
        self.coordinator_id = None

    async def offsets(self) -> dict[TopicPartition, Any]:
        return dict(await GroupCoordinator._do_fetch_commit_offsets(self, [PARTITION]))


@pytest.mark.parametrize(
    ("error", "stays"), [(GroupLoadInProgressError, 1), (NotCoordinatorForGroupError, None)]
)
async def test_an_error_of_the_whole_group_is_not_taken_for_no_offset(
    error: type[KafkaError], stays: int | None
) -> None:
    coordinator = Coordinator(error.errno)
    with pytest.raises(error):
        await coordinator.offsets()
    assert error.retriable
    assert coordinator.coordinator_id == stays


async def test_an_answer_without_error_is_told() -> None:
    assert (await Coordinator(0).offsets())[PARTITION].offset == 7


async def test_why_the_tasks_of_a_coordinator_ended_is_said_once_and_by_us(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise KafkaError("unexpected")

    async def check() -> None:
        coordinator: Any = Coordinator(0)
        coordinator._closing = asyncio.get_running_loop().create_future()
        for name in ("_heartbeat_task", "_commit_refresh_task", "_coordination_task"):
            setattr(coordinator, name, asyncio.create_task(fails()))
            await asyncio.wait({getattr(coordinator, name)})
        await GroupCoordinator.close(coordinator)
        del coordinator
        gc.collect()

    with caplog.at_level(logging.WARNING):
        await check()
    assert [record.name for record in caplog.records] == ["service.kafka.coordinator"] * 3
    assert all("unexpected" in record.getMessage() for record in caplog.records)


async def test_who_stops_before_it_has_an_id_waits_for_it_and_joins_no_further() -> None:
    """Kafka gives the id at once, and every join of the group would wait for its bearer."""
    mend_coordinator()
    coordinator: Any = Coordinator(0)
    coordinator.answers.clear()
    coordinator._closing = asyncio.get_running_loop().create_future()
    join = functools.partial(
        JoinGroupRequest, "events.route", 1, 1, group_instance_id=None, protocol_type="consumer"
    )
    asked = asyncio.ensure_future(coordinator._send_req(join(member_id="", group_protocols=[])))
    await coordinator.asked.wait()
    coordinator._closing.set_result(None)
    coordinator.answers.set()
    assert await asked
    coordinator.member_id = "given"
    with pytest.raises(KafkaError, match="closes"):
        await coordinator._send_req(join(member_id="given", group_protocols=[]))


class Node:
    """The connections of an admin client whose broker answers `code` for every group."""

    def __init__(self, code: int) -> None:
        self._code = code

    def get_random_node(self) -> int:
        return 1

    async def send(self, node: int, request: Any) -> Any:
        if isinstance(request, FindCoordinatorRequest):
            return FindCoordinatorResponse_v0(0, 1, "kafka", 9092)
        topics = [("events", [(0, 7, "", 0)])] if not self._code else []
        return OffsetFetchResponse_v3(0, topics, self._code)


async def test_an_admin_client_hears_them_too() -> None:
    admin = GroupAdmin(bootstrap_servers="127.0.0.1:1")
    admin._client = Node(GroupLoadInProgressError.errno)
    with pytest.raises(GroupLoadInProgressError):
        await admin.list_consumer_group_offsets("events.route")
    admin._client = Node(0)
    assert (await admin.list_consumer_group_offsets("events.route"))[PARTITION].offset == 7


async def test_who_observes_a_group_hears_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GroupCoordinator, "_send_req", unheard := object())
    with pytest.raises(KafkaError):
        async with observing(KafkaConnection(bootstrap_servers="127.0.0.1:1"), "g"):
            pass
    assert GroupCoordinator._send_req is not unheard

"""What aiokafka's side of a consumer group does not hear, does not say, or does not do.

- The error that Kafka gives for a group as a whole (OffsetFetch from version 2 on: the coordinator
  is loading, or is another). aiokafka looks for errors by partition only, finds no partitions, and
  takes every offset for never committed; then `loss.py` would begin the group at the log's
  start, and an observer see all of the log before it.
- Why its coordination, its heartbeat or its commit refresh ended, when it closes or is about to
  start another: asyncio says "Task exception was never retrieved", some time later.
- A member that stops while it joins leaves at once. aiokafka waits for Kafka's answer, which waits
  for the other members, and then leaves only if it had partitions before: Kafka counts the member
  until its session ends, gives it partitions, may make it the leader that all others wait for.
  KIP-394: it has its id before Kafka waits.

Put in place of methods for which aiokafka has no setting; its version is pinned and a test calls
through them.
"""

import asyncio
import logging
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import ConnectionGroup, CoordinationType
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

log = logging.getLogger(__name__)

ELSEWHERE = (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError)
JOINING = (JoinGroupRequest, SyncGroupRequest)
LEAVE_TIMEOUT_S = 5.0
"""For one try: whoever cannot say that it leaves is missed after its session."""

_send_req = GroupCoordinator._send_req
_stop_heartbeat_task = GroupCoordinator._stop_heartbeat_task
_close = GroupCoordinator.close
_start_refresh_task = GroupCoordinator.start_commit_offsets_refresh_task
_stop_refresh_task = GroupCoordinator._stop_commit_offsets_refresh_task


class GroupAdmin(AIOKafkaAdminClient):  # type: ignore[misc]  # untyped base
    """An admin client that raises the error of a group as a whole, as consumers do that hear it."""

    async def _send_request(self, request: Any, node_id: int | None = None) -> Any:
        response = await super()._send_request(request, node_id)
        if isinstance(request, OffsetFetchRequest) and (code := getattr(response, "error_code", 0)):
            raise for_code(code)("the group's offsets are not told")
        return response


def mend_coordinator() -> None:
    """Have every consumer of this process hear, say and do it."""
    GroupCoordinator._send_req = _send_and_hear
    GroupCoordinator.close = _close_and_hear
    GroupCoordinator._maybe_leave_group = _leave
    GroupCoordinator._stop_heartbeat_task = _stop_heartbeat
    GroupCoordinator.start_commit_offsets_refresh_task = _start_refresh
    GroupCoordinator._stop_commit_offsets_refresh_task = _stop_refresh


async def _send_and_hear(self: Any, request: Any) -> Any:
    joining = isinstance(request, JOINING)
    response = await (_until_close(self, request) if joining else _send_req(self, request))
    code = getattr(response, "error_code", 0)
    if code and isinstance(request, OffsetFetchRequest):
        error = for_code(code)
        if issubclass(error, ELSEWHERE):
            self.coordinator_dead()
        raise error(f"the offsets of {self.group_id} are not told")
    return response


async def _until_close(self: Any, request: Any) -> Any:
    """The answer to a request to join, for which the consumer's close does not wait."""
    if self._closing.done():
        raise KafkaError(f"{self.group_id} is not joined, the consumer closes")
    if not self.member_id:
        return await _send_req(self, request)  # answered at once, with the id to leave by
    sent = asyncio.ensure_future(_send_req(self, request))
    try:
        await asyncio.wait({sent, self._closing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sent.cancel()  # no effect on what is done
    if sent.done():
        return sent.result()
    # the broker reads nothing more from this connection until it has answered
    held = self._client._conns.get((self.coordinator_id, ConnectionGroup.COORDINATION))
    if held is not None:
        held.close()
    raise KafkaError(f"joining {self.group_id} is given up, the consumer closes")


async def _leave(self: Any) -> None:
    """Say that the member goes, whatever it was doing; called when it closes or is idle for too long."""
    if self.member_id and self._group_instance_id is None:
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await _send_leave(self)
        except (KafkaError, TimeoutError) as error:
            log.warning("group %s was not told that its member leaves: %r", self.group_id, error)
    self.reset_generation()


async def _send_leave(self: Any) -> None:
    node = self.coordinator_id
    if node is None:
        node = await self._client.coordinator_lookup(CoordinationType.GROUP, self.group_id)
    request = LeaveGroupRequest(self.group_id, self.member_id)
    response = await self._client.send(node, request, group=ConnectionGroup.COORDINATION)
    if response.error_code:
        raise for_code(response.error_code)


async def _close_and_hear(self: Any) -> None:
    _say_why_it_ended(self._coordination_task, "coordination", self.group_id)
    await _close(self)


async def _stop_heartbeat(self: Any) -> None:
    _say_why_it_ended(self._heartbeat_task, "heartbeat", self.group_id)
    await _stop_heartbeat_task(self)


def _start_refresh(self: Any, assignment: Any) -> None:
    _say_why_it_ended(self._commit_refresh_task, "commit refresh", self.group_id)
    _start_refresh_task(self, assignment)


async def _stop_refresh(self: Any) -> None:
    _say_why_it_ended(self._commit_refresh_task, "commit refresh", self.group_id)
    await _stop_refresh_task(self)


def _say_why_it_ended(task: Any, name: str, group: str) -> None:
    if task is not None and task.done() and not task.cancelled() and task.exception():
        log.warning("the %s of group %s ended: %r", name, group, task.exception())

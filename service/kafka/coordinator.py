"""Errors of a group's coordinator that aiokafka does not hear, or does not say.

- The error that Kafka gives for a group as a whole (OffsetFetch from version 2 on: the coordinator
  is loading, or is another). aiokafka looks for errors by partition only, finds no partitions, and
  takes every offset for never committed; then `loss.py` would begin the group at the log's
  start, and an observer see all of the log before it.
- Why its coordination, its heartbeat or its commit refresh ended, when it closes or is about to
  start another: asyncio says "Task exception was never retrieved", some time later.

Put in place of methods for which aiokafka has no setting; its version is pinned and a test calls
through them.
"""

import logging
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.commit import OffsetFetchRequest

log = logging.getLogger(__name__)

ELSEWHERE = (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError)

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


def hear_group_errors() -> None:
    """Have every consumer of this process hear and say them."""
    GroupCoordinator._send_req = _send_and_hear
    GroupCoordinator.close = _close_and_hear
    GroupCoordinator._stop_heartbeat_task = _stop_heartbeat
    GroupCoordinator.start_commit_offsets_refresh_task = _start_refresh
    GroupCoordinator._stop_commit_offsets_refresh_task = _stop_refresh


async def _send_and_hear(self: Any, request: Any) -> Any:
    response = await _send_req(self, request)
    code = getattr(response, "error_code", 0)
    if code and isinstance(request, OffsetFetchRequest):
        error = for_code(code)
        if issubclass(error, ELSEWHERE):
            self.coordinator_dead()
        raise error(f"the offsets of {self.group_id} are not told")
    return response


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

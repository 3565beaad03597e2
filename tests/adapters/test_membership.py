"""Members of a group that come and go in the middle of a join, on a real broker.

`Ghost` speaks the protocol by hand, so that it can fall silent at any point of it.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    GroupLoadInProgressError,
    NotCoordinatorForGroupError,
)
from aiokafka.protocol.group import JoinGroupRequest, LeaveGroupRequest, SyncGroupRequest

from processors.consume.run import MEMBERSHIP
from service.connections import KafkaConnection
from service.kafka.coordinator import mend_coordinator
from tests.faults.group import BROKER, Group, group
from tests.stack import Stack
from tests.topics import a_topic

PARTITIONS = 6
DEADLINE_S = 30.0
POLL_S = 0.05
SESSION_MS = 60_000
NOT_YET = tuple(
    error.errno
    for error in (
        GroupLoadInProgressError,
        GroupCoordinatorNotAvailableError,
        NotCoordinatorForGroupError,
    )
)
"""What a broker says of a group in its first moments."""


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not await condition():
            await asyncio.sleep(POLL_S)


class Ghost:
    """A member that does what it is told, and no more; it sends no heartbeats."""

    def __init__(self, client: AIOKafkaClient, name: str, topic: str) -> None:
        self._client = client
        self._name = name
        self._protocols = [("sticky", StickyPartitionAssignor._metadata({topic}, None).encode())]
        self.id = ""

    async def join(self) -> Any:
        """Send that it joins; the answer, when the others have joined too."""
        if not self.id:
            self.id = (await self._join()).member_id
        return await self._join()

    async def _join(self) -> Any:
        times = (SESSION_MS, SESSION_MS)
        request = JoinGroupRequest(self._name, *times, self.id, None, "consumer", self._protocols)
        async with asyncio.timeout(DEADLINE_S):
            while (answer := await self._client.send(BROKER, request)).error_code in NOT_YET:
                await asyncio.sleep(POLL_S)
        return answer

    async def lead(self, generation: int) -> None:
        """As the leader: all partitions are nobody's."""
        request = SyncGroupRequest(self._name, generation, self.id, None, [(self.id, b"")])
        assert not (await self._client.send(BROKER, request)).error_code

    async def leave(self) -> None:
        await self._client.send(BROKER, LeaveGroupRequest(self._name, self.id))


class Room:
    """A group on a topic of its own, and who may join it."""

    def __init__(self, kafka: KafkaConnection, topic: str, members: Group, stack: AsyncExitStack):
        self._kafka = kafka
        self._topic = topic
        self._group = members
        self._stack = stack
        self.name = members._name

    async def ghost(self) -> Ghost:
        client = AIOKafkaClient(**self._kafka.client_args(), client_id="ghost")
        await client.bootstrap()
        self._stack.push_async_callback(client.close)
        return Ghost(client, self.name, self._topic)

    def member(self, client_id: str) -> AIOKafkaConsumer:
        """A consumer as our processors are in a group, but for a shorter time between heartbeats."""
        consumer = AIOKafkaConsumer(
            **self._kafka.consumer_args() | MEMBERSHIP | {"heartbeat_interval_ms": 100},
            client_id=client_id,
            group_id=self.name,
            enable_auto_commit=False,
        )
        consumer.subscribe([self._topic])
        self._stack.push_async_callback(consumer.stop)
        return consumer

    async def members(self) -> set[str]:
        return set((await self._group.members()).values())

    async def has(self, *names: str) -> bool:
        return await self.members() == set(names)


@pytest.fixture
async def room(stack: Stack) -> AsyncIterator[Room]:
    mend_coordinator()
    kafka = KafkaConnection(bootstrap_servers=stack.status["kafka"])
    async with (
        a_topic(kafka, PARTITIONS) as topic,
        group(stack.status["kafka"], f"g-{uuid.uuid4().hex}", topic) as members,
        AsyncExitStack() as opened,
    ):
        yield Room(kafka, topic, members, opened)


async def test_members_whose_joins_cross_settle(room: Room) -> None:
    """Two wait for one that ended in its join, a third one comes: they joined for ever.

    aiokafka joins once for each strategy of assignment, with one more each time. The third was at its
    first when the others were at their second, each turn of one began a rebalance for the others.
    """
    first, second, third = (room.member(name) for name in ("first", "second", "third"))
    await first.start()
    await second.start()
    ghost = await room.ghost()
    await ghost.join()

    async def settled() -> bool:
        counts = [len(member.assignment()) for member in (first, second, third)]
        return counts == [PARTITIONS // 3] * 3

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        tasks.create_task(third.start())
        await until(lambda: room.has("first", "second", "third", "ghost"))
        await ghost.leave()
        await until(settled)


@pytest.mark.parametrize("leader_joins_again", [False, True], ids=["joining", "syncing"])
async def test_who_stops_while_it_joins_has_left(room: Room, leader_joins_again: bool) -> None:
    """It waits for the leader, to join or to say who has what; Kafka would count it for a session more."""
    ghost = await room.ghost()
    await ghost.lead((await ghost.join()).generation_id)
    member = room.member("member")
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(member.start())
        await until(lambda: room.has("ghost", "member"))
        if leader_joins_again:
            await ghost.join()
        await member.stop()
        starting.cancel()
    assert await room.members() == {"ghost"}

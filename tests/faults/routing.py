"""Routers beside counted deliveries: started, killed and stopped on the servers of the fault tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import psutil

from contracts.topics import ROUTE_GROUP
from service.connections import KafkaConnection
from tests.faults.deliveries import POLL_S, Deliveries, Subscriber, deliveries
from tests.faults.forkserver import client_id
from tests.faults.group import Group, group
from tests.faults.servers import Servers

ROUTER = "processors.__main__:route"
DONE_S = 120.0


@dataclass
class Routing:
    """`running` are the routers that were started and have not ended."""

    servers: Servers
    group: Group
    deliveries: Deliveries
    running: list[psutil.Process] = field(default_factory=list)

    def start(self, entry: str = ROUTER, rows_max: int = 500, **more: str) -> psutil.Process:
        """Another router, which waits for nothing longer than it must."""
        settings = {
            "EVENTS_SQS__ENDPOINT_URL": self.deliveries.sqs.url,
            "EVENTS_BATCH_ROWS_MAX": str(rows_max),
            "EVENTS_BATCH_WAIT_MS": "5",
            "EVENTS_BACKOFF_MAX_S": "0.1",
            "EVENTS_RETRY_PAUSE_MAX_S": "0.2",
        }
        process = self.servers.forked("route", settings | more, entry)
        self.running.append(process)
        return process

    async def kill(self, process: psutil.Process) -> None:
        """kill -9, and its place in the group is free."""
        assert process.is_running(), f"it had ended by itself: {self.log}"
        process.kill()
        await self._gone(process)
        await self.group.evict(client_id(process.pid))

    async def stop(self, process: psutil.Process) -> None:
        """SIGTERM, and wait for the end."""
        process.terminate()
        await self._gone(process)

    async def _gone(self, process: psutil.Process) -> None:
        async with asyncio.timeout(60):
            while process.is_running():
                await asyncio.sleep(POLL_S)
        self.running.remove(process)

    @property
    def log(self) -> str:
        """The end of what routers wrote."""
        return (self.servers.logs / "route.log").read_text()[-3000:]

    async def complete(self, within_s: float = DONE_S) -> None:
        """Return when all that is owed has come, and every record is committed."""
        await self.deliveries.until_complete(within_s)
        async with asyncio.timeout(within_s):
            while await self.group.lag():
                await asyncio.sleep(POLL_S)
        await self.deliveries.came()


Story = Callable[[Routing], Awaitable[None]]
PlayRouting = Callable[[Story], None]
"""Runs a story on routing of its own: the fixture `play_routing`."""


@contextlib.asynccontextmanager
async def routing(servers: Servers, made: list[Subscriber] | None = None) -> AsyncIterator[Routing]:
    """The group at the log's end, new subscriptions and queues; whatever runs afterwards is killed."""
    kafka = servers.ports.url("kafka")
    connection = KafkaConnection(bootstrap_servers=kafka)
    async with group(kafka, ROUTE_GROUP) as members, deliveries(connection, made) as counted:
        await members.evict()
        await members.commit(await members.ends())
        story = Routing(servers, members, counted)
        try:
            yield story
        finally:
            for process in story.running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            await members.evict()

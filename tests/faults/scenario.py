"""One log of known events, one table, one proxy between: what the faults are done to, and the check.

The table is the production one but for its engine, a plain MergeTree: a ReplacingMergeTree would
merge two rows of one event into one and hide the double.
"""

import asyncio
import contextlib
import itertools
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import ClassVar

import httpx
import psutil
from uuid_utils import uuid7

from bench.made import new_id
from contracts.encoding.codec import named, represent
from contracts.encoding.parse import parse_event
from contracts.encoding.wire import encode, encode_erasure
from contracts.topics import EVENTS, MATERIALIZE_GROUP, ROUTE_GROUP
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.builders import many_events
from tests.faults.forkserver import client_id
from tests.faults.group import Group, group
from tests.faults.proxy import Proxy
from tests.faults.servers import PROTECTED, Servers
from tests.schema import create_table_that_keeps_all

TENANT = "faults"
ERASING = "SELECT count() FROM system.mutations WHERE database = '{database}' AND NOT is_done"
POLL_S = 0.05
DONE_S = 120.0

Position = tuple[int, int]


@dataclass(frozen=True)
class Verdict:
    """What the table holds beside what was accepted. Both as (partition, offset)."""

    accepted: int
    count: int
    unique: int
    missing: list[Position]
    double: list[Position]
    foreign: list[Position]

    @property
    def exact(self) -> bool:
        """count() = uniqExact(tenant, id) = accepted, and each record of the log there once."""
        wrong = self.missing or self.double or self.foreign
        return not wrong and self.count == self.unique == self.accepted

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted}, count {self.count}, unique {self.unique};"
            f" missing {len(self.missing)} {self.missing[:5]},"
            f" double {len(self.double)} {self.double[:5]}, foreign {len(self.foreign)}"
        )


@dataclass
class Scenario:
    """`accepted` is the id of each record that Kafka acknowledged, by its position."""

    servers: Servers
    log: EventLog
    group: Group
    proxy: Proxy
    database: str
    topic: ClassVar = EVENTS
    group_name: ClassVar = MATERIALIZE_GROUP
    table: ClassVar = "events"
    id: ClassVar = "id"
    entry: ClassVar = PROTECTED
    accepted: dict[Position, str] = field(default_factory=dict)
    running: list[psutil.Process] = field(default_factory=list)

    def __post_init__(self) -> None:
        bodies = [parse_event(text.encode()) for text in many_events(1000)]
        self._bodies = itertools.cycle(bodies)
        self.entities: dict[str, str] = {}  # of each event, by its id

    async def append(self, count: int, age_ms: int = 0, entities: int = 0) -> None:
        """Post `count` events, of so many entities if given, as if `age_ms` ago; then they are accepted."""
        appended = []
        for number, draft in enumerate(itertools.islice(self._bodies, count)):
            if entities:
                draft.entity_id = str(number % entities)
            event_id, received_ms = new_id(TENANT, draft.entity_id, None)
            event = named(draft, event_id)
            record = encode(TENANT, event, received_ms - age_ms, represent(event))
            self.entities[event.id] = event.entity_id
            partition = record.key_hash % len(self.group.partitions)
            appended.append((partition, event.id, self.log.append(EVENTS, record)))
        for partition, event_id, offset in appended:
            self.accepted[partition, await offset] = event_id

    async def erase(self, every: int) -> None:
        """Append the tombstone of each `every`-th accepted event: those are to be gone."""
        for position in sorted(self.accepted)[::every]:
            event_id = self.accepted.pop(position)
            event = named(next(self._bodies), event_id)
            event.entity_id = self.entities[event_id]
            made = uuid7()
            tombstone = encode_erasure(TENANT, event, str(made), made.timestamp)
            await self.log.append(EVENTS, tombstone)

    async def keep_supplied(self, lag_min: int, count: int) -> None:
        """Append `count` events when fewer than `lag_min` wait."""
        if await self.group.lag() < lag_min:
            await self.append(count)

    def start(self, entry: str = "", rows_max: int = 50) -> psutil.Process:
        """Another materializer, with small batches."""
        settings = {
            "EVENTS_CLICKHOUSE__URL": f"http://127.0.0.1:{self.proxy.port}",
            "EVENTS_CLICKHOUSE__DATABASE": self.database,
            "EVENTS_CLICKHOUSE__TIMEOUT_S": "5",
            "EVENTS_BATCH_ROWS_MAX": str(rows_max),
            "EVENTS_BATCH_BYTES_MIN": "1",
            "EVENTS_BATCH_WAIT_MS": "5",
            "EVENTS_BACKOFF_MAX_S": "0.1",
        }
        process = self.servers.materializer(settings, entry or self.entry)
        self.running.append(process)
        return process

    async def kill(self, process: psutil.Process) -> None:
        """kill -9, and its place in the group is free."""
        await self.end(process)
        await self.group.evict(client_id(process.pid))

    async def end(self, process: psutil.Process) -> None:
        """kill -9, of which the group knows nothing."""
        log = self.servers.logs / "materialize.log"
        assert process.is_running(), f"it had ended by itself: {log.read_text()[-3000:]}"
        process.kill()
        await self._gone(process)

    async def stop(self, process: psutil.Process) -> None:
        """SIGTERM, and wait for the end."""
        process.terminate()
        await self._gone(process)

    async def _gone(self, process: psutil.Process) -> None:
        async with asyncio.timeout(60):
            while process.is_running():
                await asyncio.sleep(POLL_S)
        self.running.remove(process)

    async def done(self, within_s: float = DONE_S) -> None:
        """Return when every record is committed and every row that was to be erased is."""
        async with asyncio.timeout(within_s):
            while await self.group.lag():
                await asyncio.sleep(POLL_S)
            while await self.sql(ERASING.format(database=self.database)) != "0\n":
                await asyncio.sleep(POLL_S)

    async def sql(self, query: str) -> str:
        """ClickHouse's answer, asked without the proxy."""
        url = self.servers.ports.url("clickhouse")
        async with httpx.AsyncClient(timeout=120) as client:
            answer = await client.post(url, params={"database": self.database}, content=query)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.text

    async def stored(self) -> int:
        """Rows in the table."""
        return int(await self.sql(f"SELECT count() FROM {self.table}"))

    async def verdict(self) -> Verdict:
        """Compare the table with what was accepted, record by record."""
        lines = await self.sql(
            f"SELECT kafka_partition, toUInt32(kafka_offset), toString({self.id}), toUInt32(count())"
            f" FROM {self.table} GROUP BY ALL FORMAT JSONCompactEachRow"
        )
        rows = [json.loads(line) for line in lines.splitlines()]
        stored = {(partition, offset): id_ for partition, offset, id_, _ in rows}
        totals = await self.sql(f"SELECT count(), uniqExact(tenant, {self.id}) FROM {self.table}")
        count, unique = map(int, totals.split())
        return Verdict(
            len(self.accepted),
            count,
            unique,
            sorted(self.accepted.keys() - stored.keys()),
            sorted((partition, offset) for partition, offset, _, times in rows if times > 1),
            sorted(at for at, id_ in stored.items() if self.accepted.get(at) != id_),
        )

    async def check(self) -> None:
        """Every accepted event is in the table exactly once, now, without FINAL or a merge."""
        verdict = await self.verdict()
        assert verdict.exact, str(verdict)


Story = Callable[[Scenario], Awaitable[None]]
Play = Callable[[Story], None]
"""Runs a story on a scenario of its own: the fixture `play`."""


@contextlib.asynccontextmanager
async def scenario(servers: Servers, kind: type[Scenario] = Scenario) -> AsyncIterator[Scenario]:
    """A fresh table, the groups at the log's end; whatever runs afterwards is killed.

    The router's too: Kafka may have deleted what it had not handled while a story before kept less.
    """
    kafka, database = servers.ports.url("kafka"), f"t_{uuid.uuid4().hex}"
    log = EventLog(
        KafkaConnection(bootstrap_servers=kafka), (kind.topic, EVENTS), QueueLimits(1 << 28, 30)
    )
    await _create_table(servers, database)
    await log.start()
    proxy = Proxy(servers.ports.by_name["clickhouse"])
    async with (
        group(kafka, kind.group_name, kind.topic) as members,
        group(kafka, ROUTE_GROUP) as routers,
        proxy.listening(),
    ):
        async with asyncio.timeout(60):
            while not log.ready:
                await asyncio.sleep(POLL_S)
        for each in (members, routers):
            await each.evict()
            await each.commit(await each.ends())
        made = kind(servers, log, members, proxy, database)
        try:
            yield made
        finally:
            for process in made.running:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            await members.evict()
            await log.stop()


async def _create_table(servers: Servers, database: str) -> None:
    clickhouse = ClickHouse(ClickHouseConnection(url=servers.ports.url("clickhouse")))
    try:
        await create_table_that_keeps_all(clickhouse, database)
    finally:
        await clickhouse.close()

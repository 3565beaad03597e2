"""A stack whose table may be damaged: other tests do not see it."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from contracts.topics import EVENTS, MATERIALIZE_GROUP
from processors.consume.replay import Log
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from tests import forked
from tests.stack import Another, Stack, events, eventually


@dataclass
class View:
    """Log and table of the stack, through the commands."""

    stack: Stack

    def execute(self, sql: str) -> None:
        """Run a statement that changes something; on return the change is there."""
        answer = httpx.post(
            self.stack.status["clickhouse"],
            params={"database": "events"},
            content=sql,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text

    def one(self, query: str) -> Any:
        """The only value of a query's only row."""
        [[value]] = self.stack.sql(query)
        return value

    def post(self, tenant: str, bodies: list[str]) -> list[str]:
        """Post events in one batch; their ids, once all are in the table."""
        wanted = self.stack.counts(tenant)[1] + len(bodies)
        with self.stack.client(tenant) as client:
            answer = client.post("/api/v1/events:batch", content="[" + ",".join(bodies) + "]")
            assert answer.status_code == 201, answer.text
        eventually(lambda: self.stack.counts(tenant)[1], until=lambda found: found == wanted)
        return [item["id"] for item in answer.json()["items"]]

    def audit(self, *options: str, code: int = 0) -> dict[str, Any]:
        """What `events audit --json` prints; it must end with `code`, soon."""
        answer = eventually(
            lambda: events("audit", "--json", *options, home=self.stack.home),
            until=lambda answer: answer.returncode == code,
        )
        assert MATERIALIZE_GROUP not in answer.stderr
        document: dict[str, Any] = json.loads(answer.stdout)
        assert document["proven"] == (code == 0)
        return document

    def from_image(self, *command: str, code: int = 0) -> str:
        """What `python -m processors` prints, told the stack's servers as a container is."""
        settings = {
            "EVENTS_KAFKA__BOOTSTRAP_SERVERS": self.stack.status["kafka"],
            "EVENTS_CLICKHOUSE__URL": self.stack.status["clickhouse"],
        }
        answer = forked.run("processors", command, timeout_s=180, environment=os.environ | settings)
        assert answer.returncode == code, answer.stderr
        return answer.stdout

    def rebuild(self, *options: str) -> dict[str, Any]:
        """What `events rebuild` prints as JSON; it must succeed."""
        answer = events("rebuild", "--yes", "--json", *options, home=self.stack.home)
        assert answer.returncode == 0, answer.stderr
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def tables(self) -> set[str]:
        """The names of the tables."""
        return {
            name
            for [name] in self.stack.sql("SELECT name FROM system.tables WHERE database = 'events'")
        }

    def position(self, event_id: str) -> tuple[int, int]:
        """Partition and offset of a row."""
        [[partition, offset]] = self.stack.sql(
            "SELECT kafka_partition, toUInt32(kafka_offset) FROM events"
            f" WHERE id = '{event_id}' LIMIT 1"
        )
        return partition, offset

    def forget(self) -> None:
        """Have the log keep only each partition's last stored record, as after its retention."""
        asyncio.run(self._forget())

    async def _forget(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.status["kafka"])
        await admin.start()
        try:
            ends = self.stack.sql(
                "SELECT kafka_partition, toUInt32(max(kafka_offset)) FROM events GROUP BY 1"
            )
            await admin.delete_records(
                {TopicPartition(EVENTS, number): RecordsToDelete(last) for number, last in ends}
            )
        finally:
            await admin.close()

    def about(self, column: str) -> Any:
        """What system.tables says of the table of events."""
        return self.one(
            f"SELECT {column} FROM system.tables WHERE database = 'events' AND name = 'events'"
        )

    def delete(self, event_id: str) -> None:
        """Take a row away behind the system's back."""
        self.execute(
            f"ALTER TABLE events DELETE WHERE id = '{event_id}' SETTINGS mutations_sync = 2"
        )


Doing = Callable[[Log, ClickHouse, ClickHouseConnection], Awaitable[None]]


def by_parts(view: View, doing: Doing) -> None:
    """Do a part of a rebuild, as one that was killed after it."""

    async def run() -> None:
        connection = ClickHouseConnection(url=view.stack.status["clickhouse"])
        kafka = KafkaConnection(bootstrap_servers=view.stack.status["kafka"])
        log, clickhouse = Log(kafka), ClickHouse(connection)
        await log.start()
        try:
            await doing(log, clickhouse, connection)
        finally:
            await log.stop()
            await clickhouse.close()

    asyncio.run(run())


def silent(doing: str, done: int, total: int) -> None:
    """No progress bar."""


@pytest.fixture(scope="package")
def view(another: Another) -> View:
    """The stack of the tests that damage it."""
    return View(another.with_settings())

"""A cluster as the commands of ClickHouse see it: replicas whose names and comments are their own."""

import json
import re
import uuid
from typing import Any

from contracts.erasures import Erasure
from processors.upkeep.swap import FRESH_TABLE, Tables
from service.clickhouse import ClickHouseFailed
from service.connections import ClickHouseConnection
from tests.recorder import Recorder

ENGINE = (
    "ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}/{shard}', '{replica}', precedence)"
)
CONNECTION = ClickHouseConnection()
ERASURE = Erasure("acme", str(uuid.uuid4()), 0, 7, 1_790_000_000_000, final=True)
KEEPER = {"system.replicas": b'["/clickhouse/tables/1/a"]\n'}


class TakesTurns(Recorder):
    """Tells who creates the table `migrating` that it has the turn."""

    def _answer(self, sql: str) -> bytes:
        if "metadata_modification_time" not in sql:
            return super()._answer(sql)
        created, dropped = (
            [sent.sql for sent in self.sent if sent.sql.startswith(f"{each} events.migrating")]
            for each in ("CREATE TABLE", "DROP TABLE IF EXISTS")
        )
        if len(created) == len(dropped):
            return b""
        return json.dumps([created[-1].split("'")[-2], 0]).encode()


class Replicas(Recorder):
    """Replicas a and b: comments by table. What is `away` is not asked and has no DDL done."""

    def __init__(self, engine: str = ENGINE, cluster: str = "main") -> None:
        super().__init__(CONNECTION, cluster)
        self.engine = engine
        self.made = {host: {"events": "Events"} for host in "ab"[: 2 if cluster else 1]}
        self.away: set[str] = set()
        self.queued: list[str] = []

    async def _run(self, method: str, *positional: Any, **arguments: Any) -> bytes:
        await super()._run(method, *positional, **arguments)
        sql = " ".join(positional[0].split())
        if method == "command":
            for host in self.made.keys() - self.away:
                self._change(self.made[host], sql)
            if self.away:
                self.queued.append(sql)
                raise ClickHouseFailed("not finished on some hosts", 159)
            return b""
        if "distributed_ddl_queue" in sql:
            return b'["b"]\n' * bool(self.queued)
        if "system.processes" in sql:
            return b""
        if self.away:
            raise ClickHouseFailed("ALL_CONNECTION_TRIES_FAILED", 279)
        return self._tables("hostName()" in sql)

    def _change(self, made: dict[str, str], sql: str) -> None:
        if sql.startswith("CREATE"):
            made[FRESH_TABLE] = sql.split("COMMENT ")[1].strip("'")
        elif sql.startswith("EXCHANGE"):
            made["events"], made[FRESH_TABLE] = made[FRESH_TABLE], made["events"]
        elif sql.startswith("DROP"):
            made.pop(FRESH_TABLE, None)
        elif sql.startswith("RENAME"):
            made["kept"] = made.pop(FRESH_TABLE)
        elif sql.startswith("ALTER"):
            made["events"] = sql.split("COMMENT ")[1].strip("'")

    def _tables(self, with_host: bool) -> bytes:
        lines = [
            [
                name,
                comment,
                f"CREATE TABLE events.{name} ENGINE = {self.engine} COMMENT '{comment}'",
                *([host] if with_host else []),
            ]
            for host, made in self.made.items()
            for name, comment in made.items()
            if name in ("events", FRESH_TABLE)
        ]
        return "".join(json.dumps(line) + "\n" for line in lines).encode()

    def comes_back(self) -> None:
        """What was away does what waits in the cluster's queue."""
        for host in self.away:
            for sql in self.queued:
                self._change(self.made[host], sql)
        self.away, self.queued = set(), []

    def statements(self) -> list[str]:
        """What was to be done, without names."""
        return [re.sub(r"'.*'", "'...'", sent.sql) for sent in self.writes]


async def rebuild(tables: Tables) -> str:
    """What a rebuild does with its tables."""
    stage = await tables.stage()
    if stage == "none":
        await tables.create()
    if stage != "swapped":
        await tables.compare()
        await tables.exchange()
    return await tables.finish(keep_old=False)

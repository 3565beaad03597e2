"""Groups of failures, computed by the engine of the stack in this process: real messages, the retail file."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bench.ingest import bodies
from bench.rows import seed
from contracts.clickhouse.schema import migrations, statements
from tests.grouping.messages import GROUPS, Group

if TYPE_CHECKING:
    from chdb.state.sqlitelike import Connection

INSERT = """
INSERT INTO {database}.events
    (tenant, id, received_at, event_type, event_source, operation, fault)
SELECT '{tenant}', generateUUIDv4(), now64(3), 'FAULT', 'ORDER', 'UPDATE', unhex('{fault}')
"""
BEFORE = 10
"""The migration that the groups came after."""


class Engine:
    """A database in this process, which has one engine."""

    def __init__(self, database: str) -> None:
        from chdb.state.sqlitelike import connect  # large: every worker reads this file

        self._connection: Connection = connect(":memory:")
        self._database = database
        self.run(f"CREATE DATABASE {database}")

    def run(self, sql: str, parameters: dict[str, Any] | None = None) -> str:
        given = {
            name: str(value) if isinstance(value, list) else value  # as ClickHouse writes arrays
            for name, value in (parameters or {}).items()
        }
        return str(self._connection.query(sql, params=given).bytes(), "utf-8")

    def migrate(self, first: int = 1, last: int = 1000) -> None:
        for each in migrations():
            if first <= each.number <= last:
                for statement in statements(each.text, self._database):
                    self.run(statement)

    def insert(self, tenant: str, fault: str) -> None:
        encoded = fault.encode("utf-8", "surrogateescape").hex()
        self.run(INSERT.format(database=self._database, tenant=tenant, fault=encoded))

    def rows(self, sql: str) -> list[list[object]]:
        return [
            json.loads(line) for line in self.run(f"{sql} FORMAT JSONCompactEachRow").splitlines()
        ]

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine("d")
    engine.migrate()
    yield engine
    engine.close()


@pytest.mark.parametrize("number", range(len(GROUPS)))
def test_faults_are_in_the_group_that_a_person_would_put_them_in(
    engine: Engine, number: int
) -> None:
    group, tenant = GROUPS[number], f"group-{number}"
    for fault in group.faults:
        engine.insert(tenant, fault)
    sql = f"SELECT status, message, toUInt32(count) FROM d.faults WHERE tenant = '{tenant}'"
    assert engine.rows(sql) == [[group.status, group.message, len(group.faults)]]


def test_a_query_of_events_resolves_no_long_expression(engine: Engine) -> None:
    """ClickHouse resolves every ALIAS column for every query, whatever it asks for."""
    aliases = "SELECT name FROM system.columns WHERE (database, table) = ('d', 'events')"
    assert engine.rows(f"{aliases} AND default_kind = 'ALIAS'") == [["expires_at"]]


def test_no_two_groups_are_one() -> None:
    assert len({(group.status, group.message) for group in GROUPS}) == len(GROUPS)
    assert sum(len(group.faults) for group in GROUPS) > 60


def test_the_retail_events_fail_in_eight_ways(engine: Engine, tmp_path: Path) -> None:
    if "retail" not in bodies():
        pytest.skip("the retail events are not here")
    seed(engine.run, tmp_path, "d")
    engine.run(
        "INSERT INTO d.events (tenant, id, received_at, event_type, event_source, operation, fault)"
        " SELECT 'retail', generateUUIDv4(), now64(3), event_type, event_source, operation, fault"
        " FROM d.seed"
    )
    groups = engine.rows(
        "SELECT message, toUInt32(count), toUInt32(arraySum(mapValues(by_operation)))"
        " FROM d.faults WHERE tenant = 'retail' ORDER BY count DESC, message"
    )
    assert [message for message, _, _ in groups] == [
        "timeout of * exceeded",
        'NullPointerException: Cannot invoke "Customer.getEmail()" because "customer" is null',
        "Exceeded * calls per second for api client",
        "email: * has already been taken",
        "upstream connect error or disconnect/reset before headers. reset reason: connection failure",
        "Broken JSON with id",
        "no healthy upstream after * ms",
        "502 Bad Gateway",
    ]
    assert all(count == by_operation for _, count, by_operation in groups)
    assert sum(int(str(count)) for _, count, _ in groups) == 352


def test_bytes_that_are_no_text_leave_the_views_valid(engine: Engine) -> None:
    engine.insert("bytes", "stock \udcff\udcfe is locked")
    engine.insert("bytes", '{"message": "St\udcfcck"}')
    found = engine.run("SELECT message FROM d.faults WHERE tenant = 'bytes' FORMAT JSONEachRow")
    messages = {json.loads(line)["message"] for line in found.splitlines()}
    assert messages == {"stock \ufffd is locked", "St\ufffdck"}


def test_what_was_stored_before_is_grouped_anew() -> None:
    engine = Engine("before")
    engine.migrate(last=BEFORE)
    timeouts: Group = next(group for group in GROUPS if group.message == "timeout of * exceeded")
    engine.insert("old", timeouts.faults[0])
    engine.insert("old", '{"message": "Cannot invoke \\"Cart.close()\\""}')
    engine.migrate(first=BEFORE + 1)
    engine.run(
        "ALTER TABLE before.events MATERIALIZE COLUMN fault_message SETTINGS mutations_sync = 2"
    )
    assert engine.rows("SELECT message FROM before.faults ORDER BY message") == [
        ['Cannot invoke "Cart.close()"'],
        [timeouts.message],
    ]
    engine.close()

"""What is sent to a cluster of ClickHouse, and that one server is sent what it always was."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from contracts.clickhouse.schema import TableSettings, migrations
from contracts.clickhouse.table import INSERT_SETTINGS
from contracts.encoding.block import Block, row
from contracts.encoding.wire import decode_event
from processors.consume.step import Transient
from processors.materialize import rows as rows_module
from processors.materialize.erasures import Erasures
from processors.materialize.rows import ClickHouseRows
from processors.upkeep.coverage import Coverage
from processors.upkeep.logs import Logs
from processors.upkeep.migrate import Migrate
from query.app import Reader
from query.settings import QuerySettings
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.connections import ClickHouseConnection
from tests.builders import an_event, represented
from tests.recorder import Recorder, on_cluster, on_one_server
from tests.replicas import ERASURE, KEEPER, TakesTurns

QUORUM = {"insert_quorum": "auto", "insert_quorum_parallel": 0, "insert_quorum_timeout": 30_000}
DDL = {
    "alter_sync": 2,
    "distributed_ddl_task_timeout": 30,
    "distributed_ddl_output_mode": "throw",
}
SEQUENTIAL = {"select_sequential_consistency": 1}
WRITE = SEQUENTIAL | QUORUM | DDL
CONNECTION = ClickHouseConnection()


def a_block() -> Block:
    made = Block()
    event = decode_event(represented(an_event(), str(uuid.uuid4())))
    made.add([row("acme", 3, 5, 1_790_000_000_000, event)])
    return made


NAMES = [("acme", str(uuid.uuid4()))]
READS: dict[str, Callable[[ClickHouse], Awaitable[Any]]] = {
    "high water": lambda it: ClickHouseRows(it, CONNECTION, 0).high_water([0]),
    "present": lambda it: ClickHouseRows(it, CONNECTION, 0).present({0: (1, 2)}),
    "shown": lambda it: ClickHouseRows(it, CONNECTION, 0).shown(NAMES),
    "erased": lambda it: ClickHouseRows(it, CONNECTION, 0).erased(NAMES),
    "lingering": lambda it: Erasures(it, CONNECTION).lingering(10),
    "bounds": lambda it: Coverage(it, "events", 0).bounds(),
    "hashes": lambda it: Coverage(it, "events", 0).hashes(0, 1, 2),
    "logs": lambda it: Logs(it, CONNECTION).known(),
    "migrations applied": lambda it: Migrate(it, "events", TableSettings()).pending(),
}


@pytest.mark.parametrize("name", READS)
async def test_what_something_is_decided_by_is_read_sequentially_on_a_cluster_only(
    name: str,
) -> None:
    for server, expected in ((on_cluster(), SEQUENTIAL), (on_one_server(), {})):
        await READS[name](server)
        assert [sent.settings for sent in server.reads] == [expected] * len(server.reads)
        assert server.reads


@pytest.mark.parametrize(("server", "added"), [(on_cluster(), WRITE), (on_one_server(), {})])
async def test_an_insert_is_answered_when_a_quorum_has_it(server: Recorder, added: Any) -> None:
    block = a_block()
    await ClickHouseRows(server, CONNECTION, 0).insert(block)
    [sent] = server.sent
    tag = {"log_comment": "events.materialize 3"}
    assert sent.settings == INSERT_SETTINGS | tag | added
    assert sent.body == b"".join(block.pieces(0))


@pytest.mark.parametrize(("server", "added"), [(on_cluster(), WRITE), (on_one_server(), {})])
async def test_an_erasure_is_noted_with_a_quorum_and_deleted_by_one_mutation(
    server: Recorder, added: Any
) -> None:
    server.answers["count()"] = b"[1]\n"
    await Erasures(server, CONNECTION).erase([ERASURE])
    note, delete = server.writes
    assert note.settings == INSERT_SETTINGS | added
    assert delete.settings == added
    assert delete.sql.startswith("DELETE FROM events.events WHERE")  # Keeper hands it on
    assert delete.sql.endswith("SETTINGS lightweight_deletes_sync = 0")


@pytest.mark.parametrize(("cluster", "added"), [("main", WRITE), ("", {})])
async def test_migrations_wait_for_every_replica(cluster: str, added: Any) -> None:
    server = TakesTurns(CONNECTION, cluster)
    tables = TableSettings(cluster=server.replicas.cluster, retention_days=9)
    steps = Migrate(server, "events", tables)
    for migration in migrations():
        await steps.apply(migration)
    await steps.retain()
    assert len(server.writes) > len(migrations())
    for sent in server.writes:
        assert sent.settings == added
        assert ("ON CLUSTER `main`" in sent.sql) == bool(added) or sent.sql.startswith("INSERT")


async def test_the_turn_for_a_quorum_is_waited_for_and_the_whole_body_sent_again() -> None:
    server = on_cluster()
    server.failures = [ClickHouseFailed("taken", 286), ClickHouseFailed("taken", 286)]
    block = a_block()
    await ClickHouseRows(server, CONNECTION, 0).insert(block)
    assert [sent.body for sent in server.sent] == [b"".join(block.pieces(0))] * 3


async def test_a_turn_that_never_comes_ends_at_the_deadline() -> None:
    server = on_cluster(timeout_s=0.2)
    server.failures = [ClickHouseFailed("taken", 286)] * 10_000
    with pytest.raises(Transient, match="taken"):
        await ClickHouseRows(server, CONNECTION, 0).insert(a_block())
    assert len(server.sent) > 1


@pytest.mark.parametrize("code", [285, 319, 159, 999, None])
async def test_any_other_failure_of_an_insert_is_not_repeated_but_read_back(
    code: int | None,
) -> None:
    server = on_cluster()
    server.failures = [ClickHouseFailed("unknown", code)]
    with pytest.raises(Transient):
        await ClickHouseRows(server, CONNECTION, 0).insert(a_block())
    assert len(server.sent) == 1


def wait_for_inserts(server: Recorder) -> None:
    asyncio.run(ClickHouseRows(server, CONNECTION, 0).wait_for_inserts([3]))


def test_a_predecessors_insert_is_looked_for_on_every_living_replica() -> None:
    server = on_cluster(KEEPER)
    wait_for_inserts(server)
    assert "FROM clusterAllReplicas('main', system.processes)\n" in server.reads[0].sql
    assert server.reads[0].settings == {"skip_unavailable_shards": 1}


def test_on_one_server_its_own_processes_are_all() -> None:
    server = on_one_server()
    wait_for_inserts(server)
    [asked] = server.reads
    assert "FROM system.processes\n" in asked.sql
    assert not asked.settings


def test_an_insert_that_waits_for_its_quorum_is_waited_for_until_it_is_decided() -> None:
    for decided in (b"", b'["202609_8_8_0"]\n'):  # nothing waits any more; somebody else's does
        server = on_cluster(KEEPER)
        waits = [b'["202609_7_7_0"]\n'] * 3
        server.answers["system.zookeeper"] = [*waits, decided]
        wait_for_inserts(server)
        asked = [sent.sql for sent in server.reads if "system.zookeeper" in sent.sql]
        assert len(asked) == 4
        assert "path = '/clickhouse/tables/1/a/quorum'" in asked[0]


def test_an_insert_that_stays_undecided_ends_in_a_later_try(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_module, "INSERTS_TIMEOUT_S", 0.2)
    server = on_cluster(KEEPER | {"system.zookeeper": b'["202609_7_7_0"]\n'})
    with pytest.raises(Transient, match="still runs"):
        wait_for_inserts(server)


def test_a_cluster_is_named_whose_tables_are_not_replicated() -> None:
    with pytest.raises(Transient, match="EVENTS_TABLES__CLUSTER"):
        wait_for_inserts(on_cluster())


async def _queries(settings: QuerySettings) -> Sequence[Any]:
    reader = Reader(settings)
    server = Recorder(settings.clickhouse, settings.tables.cluster)
    reader.clickhouse._run = server._run  # type: ignore[method-assign]
    await reader.store.get("acme", uuid.uuid4())
    await reader.everywhere.get("acme", uuid.uuid4())
    await reader.clickhouse.close()
    return [sent for sent in server.sent if "SELECT tenant, id, entity_id" in sent.sql]


async def test_a_get_asks_one_replica_and_pays_nothing_a_delete_asks_all_that_live() -> None:
    settings = QuerySettings.model_validate({"tables": {"cluster": "main"}})
    get, delete = await _queries(settings)
    assert "FROM events.events\n" in get.sql
    assert not get.settings
    assert "FROM clusterAllReplicas('main', events.events)\n" in delete.sql
    assert delete.settings == {"skip_unavailable_shards": 1}


async def test_on_one_server_a_delete_looks_where_a_get_does() -> None:
    get, delete = await _queries(QuerySettings())
    assert get.sql.split("IN")[0] == delete.sql.split("IN")[0]
    assert not get.settings
    assert not delete.settings

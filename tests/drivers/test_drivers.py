"""Clients of ClickHouse at their defaults against the local endpoint: a table, rows, an error."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clickhouse_connect
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError
from clickhouse_connect.driver.external import ExternalData

from tests.drivers.conftest import PROGRAMS

Seen = Callable[..., Any]


def test_clickhouse_connect_has_a_session_of_its_own(address: str) -> None:
    with clickhouse_connect.get_client(dsn=f"clickhouse://{address}/default") as client:
        assert client.get_client_setting("session_id")
        assert client.protocol_version == 54405  # it asked, and the endpoint said yes
        client.command("CREATE TEMPORARY TABLE kept (a UInt64, s LowCardinality(String))")
        written = client.insert("kept", [[n, f"{n % 3}"] for n in range(1000)], ["a", "s"])
        assert (written.written_rows, written.summary["read_rows"]) == (1000, "1000")
        rows = client.query("SELECT count(), max(a) FROM kept WHERE s != '0'").result_rows
        assert rows == [(666, 998)]
        empty = client.query("SELECT a FROM kept WHERE a > 5000")
        assert (empty.result_rows, empty.summary["read_rows"]) == ([], "1000")
        client.command("SET max_threads = 3")
        assert client.command("SELECT getSetting('max_threads')") == 3
        with pytest.raises(DatabaseError) as raised:
            client.query("SELECT * FROM nowhere")
        assert raised.value.code == 60


def test_clickhouse_connect_brings_a_table_with_its_query(address: str) -> None:
    structure, rows = "id UInt64, name Decimal(10, 2)", b"1,1.5\n2,2.5\n"
    data = ExternalData(file_name="m.csv", fmt="CSV", structure=structure, data=rows)
    with clickhouse_connect.get_client(dsn=f"clickhouse://{address}/default") as client:
        asked = (
            "SELECT number, toString(name) FROM numbers(5) AS n JOIN m ON m.id = number ORDER BY 1"
        )
        found = client.query(asked, external_data=data)
        assert found.result_rows == [(1, "1.5"), (2, "2.5")]
        with pytest.raises(DatabaseError) as raised:
            client.query("SELECT * FROM m")
        assert raised.value.code == 60


async def test_clickhouse_connects_async_client_asks_side_by_side(address: str) -> None:
    client = await clickhouse_connect.get_async_client(dsn=f"clickhouse://{address}/default")
    try:
        asked = (client.query(f"SELECT {n}, toString(sleep(0.05))") for n in range(10))
        assert [a.result_rows[0][0] for a in await asyncio.gather(*asked)] == list(range(10))
    finally:
        await client.close()


def test_sqlalchemy(address: str, analysts_python: Path, seen_by: Seen) -> None:
    assert seen_by(analysts_python, PROGRAMS / "run_sqlalchemy.py", address) == {
        "rows": [999, 999], "empty": [], "kept": 1, "error": True, "reflected": ["a", "s"],
    }  # fmt: skip


def test_dbt_builds_a_project_twice(
    address: str, analysts_python: Path, seen_by: Seen, tmp_path: Path
) -> None:
    seen = seen_by(analysts_python, PROGRAMS / "run_dbt.py", *address.split(":"), tmp_path)
    models = dict.fromkeys(("owners", "numbered", "owned", "grown"), "success")
    built = models | {"unique_grown_number": "pass", "not_null_grown_number": "pass"}
    assert seen == {"first": built, "again": built}
    with clickhouse_connect.get_client(dsn=f"clickhouse://{address}/of_dbt") as client:
        grown = "SELECT count(), uniqExact(number), uniqExact(built) FROM grown"
        assert client.query(grown).result_rows[0][:2] == (100, 100)
        assert client.query(grown).result_rows[0][2] > 1  # the second build replaced a half of it


def test_jdbc(address: str, seen_by: Seen) -> None:
    assert seen_by(sys.executable, PROGRAMS / "run_jdbc.py", address) == {
        "rows": [999, 999], "time": 1767225600124, "empty": [False, 2], "streamed": 100000,
        "error": True,
    }  # fmt: skip


def test_node(address: str, node_modules: Path, seen_by: Seen, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(node_modules)
    program = shutil.copy(PROGRAMS / "run_node.mjs", tmp_path)
    assert seen_by("node", program, address) == {
        "written": 1000, "rows": [999, 999], "empty": [], "kept": 1, "error": True,
    }  # fmt: skip


@pytest.mark.long  # its first build takes a minute
def test_go_over_http_in_each_compression(address: str, go_program: Path, seen_by: Seen) -> None:
    right = {"right": 500, "empty": False, "error": True}
    assert seen_by(go_program, address) == {"none": right, "lz4": right, "zstd": right}

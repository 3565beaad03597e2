"""Payload and fault as String with JSONExtract beside a JSON column: insert, size, query.

`python -m bench.json_columns [--rows N]`. The retail events that have a fault or a payload that is
JSON, inserted in blocks of 10,000 rows. A JSON column refuses what is no JSON, so those faults are
left null in both; a table of events would need the String beside it.
"""

import argparse
import tempfile
from pathlib import Path

import chdb
from chdb.state.sqlitelike import Connection
from rich.console import Console
from rich.table import Table

from bench.faults import cpu_s, milliseconds
from bench.rows import seed

KINDS = {
    "String, String": ("Nullable(String)", "Nullable(String)"),
    "payload String, fault JSON": ("Nullable(String)", "JSON"),
    "JSON, JSON": ("JSON", "JSON"),
}
SETTINGS = (
    "max_threads = 1, max_insert_threads = 1, async_insert = 0, max_block_size = 10000,"
    " min_insert_block_size_rows = 10000, max_insert_block_size = 10000,"
    " use_strict_insert_block_limits = 1"  # else three blocks become one part
)


def measure(connection: Connection, payload: str, fault: str, rows: int) -> list[str]:
    """Insert CPU us per row, bytes per row, ms for a path of the fault, ms for one of the payload."""
    connection.query("DROP TABLE IF EXISTS d.t")
    connection.query(
        f"CREATE TABLE d.t (n UInt64, payload {payload} CODEC(ZSTD(1)), fault {fault}"
        " CODEC(ZSTD(1))) ENGINE = MergeTree ORDER BY n"
    )
    # a JSON column takes no null: an empty object instead
    texts = [
        f"ifNull({name}, '{{}}')::JSON" if kind == "JSON" else name
        for name, kind in (("payload", payload), ("fault", fault))
    ]
    before = cpu_s()
    connection.query(
        f"INSERT INTO d.t SELECT r, {', '.join(texts)} FROM (SELECT number AS r,"  # noqa: S608
        f" toUInt32(cityHash64(r) % (SELECT count() FROM d.seed)) AS n FROM numbers({rows})) AS event"
        f" INNER JOIN (SELECT n, if(isValidJSON(payload), payload, NULL) AS payload,"
        f" if(isValidJSON(fault), fault, NULL) AS fault FROM d.seed) AS seed ON event.n = seed.n"
        f" SETTINGS {SETTINGS}, join_algorithm = 'hash'"
    )
    connection.query("OPTIMIZE TABLE d.t FINAL")
    us = (cpu_s() - before) / rows * 1e6
    size = connection.query(
        "SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts"
        " WHERE database = 'd' AND table = 't' AND active", "TSV"
    )  # fmt: skip
    status = "fault.status::UInt16" if fault == "JSON" else "JSONExtract(fault, 'status', 'UInt16')"
    price = (
        "payload.total_price::String"
        if payload == "JSON"
        else "JSONExtractString(payload, 'total_price')"
    )
    queries = [
        f"SELECT {path} AS found, count() FROM d.t GROUP BY found"  # noqa: S608
        for path in (f"ifNull({status}, 0)", f"ifNull({price}, '')")
    ]
    return [
        f"{us:.1f}",
        f"{float(size.data()):.0f}",
        *(f"{milliseconds(connection, sql):,.0f}" for sql in queries),
    ]


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(prog="python -m bench.json_columns", description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="rows of each table")
    rows = parser.parse_args().rows
    table = Table(f"{rows:,} rows", "insert us/row", "bytes/row", "fault.status ms", "payload ms")
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection = chdb.connect(str(Path(folder) / "data"))
        connection.query("CREATE DATABASE d")
        seed(connection.query, Path(folder), "d")
        for name, (payload, fault) in KINDS.items():
            table.add_row(name, *measure(connection, payload, fault, rows))
        connection.close()
    Console().print(table)


if __name__ == "__main__":
    main()

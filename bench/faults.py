"""What failures by kind cost: the fault columns at insert, views and API queries over a month of rows.

`python -m bench.faults [--rows N] [--folder DIR]`. The inserts are of 10,000 retail events with ids and times
varied; the month is that of `bench.search`, ten tenants of which one has half of the rows. A folder keeps
it for the next run. "CPU" is that of this process, which is the server.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any

import chdb
from chdb.state.sqlitelike import Connection
from rich.console import Console
from rich.table import Table

from bench import history
from bench.rows import Times, insert, seed
from contracts.clickhouse.counts import select_by_time, select_values
from contracts.clickhouse.fault_features import select_features, select_size
from contracts.clickhouse.faults import Groups, Place, read_groups
from contracts.clickhouse.ledger import UNQUOTED
from contracts.clickhouse.schema import migrations, statements
from contracts.counts import CountSearch, FieldSearch
from contracts.faults import FaultCriteria
from contracts.intervals import span

DATABASE = "events"
DAY_MS = 24 * 60 * 60 * 1000
INSERT_ROWS = 250_000
RUNS = 5
BEFORE = range(1, 10)
TABLES: dict[str, Container[int]] = {
    "without fault columns": {1},
    "with those of the first release": BEFORE,
    "with those that name groups": {*BEFORE, 11},
    "with those of now": {*BEFORE, 11, 13},
}
"""Migrations that a table has had."""
THERE = f"SELECT count() FROM system.tables WHERE database = '{DATABASE}'"  # noqa: S608
Asked = tuple[str, dict[str, Any]]


def cpu_s() -> float:
    """CPU seconds of this process, its merges included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def opened(folder: Path, numbers: Container[int]) -> Connection:
    """A database in `folder` that has had the migrations of these numbers."""
    connection = chdb.connect(str(folder / "data"))
    connection.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    if not int(str(connection.query(THERE))):
        for migration in migrations():
            if migration.number in numbers:
                for statement in statements(migration.text, DATABASE):
                    connection.query(statement)
    return connection


def insert_us(rows: int, numbers: Container[int]) -> float:
    """CPU microseconds per row, merges included, of a table that has had these migrations."""
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection, used = opened(Path(folder), numbers), 0.0
        seeds = seed(connection.query, Path(folder), DATABASE)
        times = Times(time.time_ns() // 1_000_000 - DAY_MS, DAY_MS * 1000 // rows)
        for first in range(0, rows, INSERT_ROWS):
            some = range(first, min(first + INSERT_ROWS, rows))
            before = cpu_s()
            insert(connection.query, DATABASE, seeds, times, some)
            used += cpu_s() - before
        connection.close()
    return used / rows * 1e6


def month(folder: Path, rows: int) -> Connection:
    """The month, made in `folder` unless it is there, with no merge that runs."""
    connection = opened(folder, range(1, 1 + len(migrations())))
    if not int(str(connection.query(f"SELECT count() FROM {DATABASE}.events"))):  # noqa: S608
        history.insert(connection.query, seed(connection.query, folder, DATABASE), rows)
    connection.query("SYSTEM STOP MERGES")
    return connection


def queries(connection: Connection) -> Iterator[tuple[str, Asked]]:
    """Each query by its name; times end with the newest row, so that a folder can be old."""
    newest = f"SELECT max(received_at) FROM {DATABASE}.events"  # noqa: S608
    to_ms = 1 + int(str(connection.query(f"SELECT toUnixTimestamp64Milli(({newest}))")))
    tenant = history.LARGE
    for days in (1, 30):
        since = f"fromUnixTimestamp64Milli({to_ms - days * DAY_MS})"
        view = f"SELECT * FROM {DATABASE}.faults_since(since = {since})"  # noqa: S608
        yield f"faults_since {days} d, all tenants", (view, {})
        yield f"faults_since {days} d", (f"{view} WHERE tenant = '{tenant}'", {})
        rate = f"SELECT * FROM {DATABASE}.fault_rate WHERE hour >= toStartOfHour({since})"  # noqa: S608
        yield f"fault_rate {days} d, all tenants", (rate, {})
        yield f"fault_rate {days} d", (f"{rate} AND tenant = '{tenant}'", {})
        asked = span(to_ms - days * DAY_MS, to_ms)
        of = (DATABASE, tenant, FaultCriteria(), asked)
        page = Groups(*of).page("count", Place(), 51)
        yield f"GET /faults {days} d", page
        first = read_groups(answer(connection, page))[0]
        one = Groups(*of, first.fingerprint)
        rest = int(answer(connection, select_size(*of))) - first.count
        yield f"GET /faults/ID {days} d: the group", one.page("count", Place(), 1)
        yield f"... its entities {days} d", one.entities()
        yield f"... its latest {days} d", one.latest(first)
        yield (
            f"... what sets it apart {days} d",
            select_features(*of, first.fingerprint, first.count, rest),
        )
        hours = span(asked.from_ms, asked.to_ms, "hour")
        counted = (DATABASE, tenant, CountSearch())
        yield f"GET /events/counts by hour {days} d", select_by_time(*counted, hours, None)
        yield f"... and event_source {days} d", select_by_time(*counted, hours, "event_source")
        field = FieldSearch(field="event_source")
        yield (
            f"GET /events/fields event_source {days} d",
            select_values(DATABASE, tenant, field, asked.from_ms, asked.to_ms),
        )


def answer(connection: Connection, asked: Asked) -> bytes:
    """The answer's bytes."""
    return bytes(connection.query(asked[0], "Native", params=asked[1]).bytes())


def taken(run: Callable[[], object]) -> tuple[float, float]:
    """The medians of milliseconds and CPU milliseconds, after one run to warm up."""
    ms, cpu_ms = [], []
    for _ in range(RUNS + 1):
        began, before = time.perf_counter(), cpu_s()
        run()
        ms.append((time.perf_counter() - began) * 1000)
        cpu_ms.append((cpu_s() - before) * 1000)
    return sorted(ms[1:])[RUNS // 2], sorted(cpu_ms[1:])[RUNS // 2]


def milliseconds(connection: Connection, sql: str) -> float:
    """The median of a query without parameters."""
    return taken(lambda: connection.query(sql, "Native"))[0]


def inserts(rows: int) -> Table:
    """What a row costs each of the tables, in interleaved runs."""
    figures: dict[str, list[float]] = {name: [] for name in TABLES}
    for _ in range(3):
        for name, numbers in TABLES.items():
            figures[name].append(insert_us(rows, numbers))
    table = Table("insert, us of CPU per row", "median", "all runs")
    for name, found in figures.items():
        table.add_row(name, f"{sorted(found)[1]:.2f}", ", ".join(f"{us:.2f}" for us in found))
    return table


def readings(folder: Path, rows: int) -> Table:
    """What each query costs."""
    table = Table(f"query at {rows:,} rows of 30 days", "ms", "CPU ms")
    connection = month(folder, rows)
    for name, value in UNQUOTED.items():
        connection.query(f"SET {name} = {value}")
    for name, asked in queries(connection):
        ms, cpu_ms = taken(lambda asked=asked: answer(connection, asked))  # type: ignore[misc]
        table.add_row(name, f"{ms:,.0f}", f"{cpu_ms:,.0f}")
    connection.close()
    return table


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows that are queried")
    parser.add_argument(
        "--insert-rows", type=int, default=500_000, help="of an insert run; 0: none"
    )
    parser.add_argument("--folder", type=Path, help="keeps the rows, or has them")
    arguments = parser.parse_args()
    if arguments.insert_rows:
        Console().print(inserts(arguments.insert_rows))
    with tempfile.TemporaryDirectory(prefix="events-bench-") as temporary:
        Console().print(readings(arguments.folder or Path(temporary), arguments.rows))


if __name__ == "__main__":
    main()

"""What grouping failures costs: the fault columns at insert, the views on read, over stored rows.

`python -m bench.faults [--rows N]`. Rows are the retail events with ids and times varied, spread over
the last 24 hours in inserts of 10,000 rows. "computed" is the group of failures without the stored
columns: status and message taken from the fault when it is read.
"""

import argparse
import re
import resource
import tempfile
import time
from pathlib import Path

import chdb
from chdb.state.sqlitelike import Connection
from rich.console import Console
from rich.table import Table

from bench.rows import Times, insert, seed
from contracts.clickhouse.schema import migrations, statements

DAY_US = 24 * 60 * 60 * 1_000_000
INSERT_ROWS = 250_000
SINCE = "now() - INTERVAL 1 HOUR"
QUERIES = {
    "faults_since, last hour": f"SELECT * FROM d.faults_since(since = {SINCE})",  # noqa: S608
    "the same of one tenant": "SELECT * FROM d.faults_since(since = now() - INTERVAL 1 HOUR)"
    " WHERE tenant = 'tenant-1'",
    "faults, all that is kept": "SELECT * FROM d.faults",
    "faults, one tenant": "SELECT * FROM d.faults WHERE tenant = 'tenant-1'",
    "fault_rate, last two hours": "SELECT * FROM d.fault_rate WHERE hour >= now() - INTERVAL 2 HOUR",
    "event_counts, last two hours": "SELECT * FROM d.event_counts"
    " WHERE hour >= now() - INTERVAL 2 HOUR",
}


def cpu_s() -> float:
    """CPU seconds of this process, its merges included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def fill(folder: Path, rows: int, with_columns: bool) -> tuple[Connection, float]:
    """A database with so many rows, and CPU microseconds per row, merges included."""
    connection = chdb.connect(str(folder / "data"))
    connection.query("CREATE DATABASE d")
    for migration in migrations() if with_columns else migrations()[:1]:
        for statement in statements(migration.text, "d"):
            connection.query(statement)
    seeds, used = seed(connection.query, folder, "d"), 0.0
    times = Times(time.time_ns() // 1_000_000 - DAY_US // 1000, DAY_US // rows)
    for first in range(0, rows, INSERT_ROWS):
        before = cpu_s()
        insert(connection.query, "d", seeds, times, range(first, min(first + INSERT_ROWS, rows)))
        used += cpu_s() - before
    return connection, used / rows * 1e6


def computed() -> str:
    """The groups of the last hour without the stored columns, by the migration's own expressions."""
    status, message = re.findall(r"MATERIALIZED (.*?)\n +CODEC", migrations()[1].text, re.DOTALL)
    return (
        f"SELECT tenant, {status} AS status, {message} AS message, event_source, operation, count()"  # noqa: S608
        f" FROM d.events FINAL WHERE received_at >= {SINCE} AND isNotNull(fault) GROUP BY ALL"
        " SETTINGS use_skip_indexes_if_final_exact_mode = 0"
    )


def milliseconds(connection: Connection, sql: str) -> float:
    """The median of five runs after one to warm up."""
    taken = []
    for _ in range(6):
        began = time.perf_counter()
        connection.query(sql, "Native")
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken[1:])[2]


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.faults", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="rows that are queried")
    parser.add_argument("--insert-rows", type=int, default=500_000, help="rows per insert run")
    arguments = parser.parse_args()
    inserts: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(3):
        for with_columns in (False, True):
            with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
                connection, us = fill(Path(folder), arguments.insert_rows, with_columns)
                connection.close()
                inserts[with_columns].append(us)
    table = Table("insert, us of CPU per row", "median", "all runs")
    for with_columns, figures in inserts.items():
        name = "with the fault columns" if with_columns else "without"
        table.add_row(name, f"{sorted(figures)[1]:.2f}", ", ".join(f"{us:.2f}" for us in figures))
    queries = Table(f"query at {arguments.rows:,} rows", "ms")
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection, _ = fill(Path(folder), arguments.rows, True)
        for name, sql in QUERIES.items():
            queries.add_row(name, f"{milliseconds(connection, sql):,.0f}")
        queries.add_row("computed, last hour", f"{milliseconds(connection, computed()):,.0f}")
        connection.close()
    Console().print(table, queries)


if __name__ == "__main__":
    main()

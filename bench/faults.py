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

from bench.ingest import bodies
from contracts.codec import represent
from contracts.parse import parse_event
from contracts.schema import migrations, statements

TENANTS = 10
INSERT_ROWS = 250_000
SEED = (
    "event_type String, event_source String, operation String, entity_id String,"
    " entity_name Nullable(String), key_attributes Map(String, String),"
    " payload Nullable(String), fault Nullable(String)"
)
FILL = """
INSERT INTO d.events (tenant, id, received_at, event_type, event_source, operation, entity_id,
    entity_name, payload_entity_id, key_attributes, payload, fault, kafka_partition, kafka_offset)
SELECT concat('tenant-', toString(r % {tenants})), dateTimeToUUIDv7(toDateTime(intDiv(ms, 1000))),
    fromUnixTimestamp64Milli(ms), event_type, event_source, operation,
    concat(entity_id, '-', toString(r % 7)), entity_name, entity_id, key_attributes, payload, fault,
    r % 6, intDiv(r, 6)
FROM (SELECT number + {at} AS r, {now} - 86400000 + intDiv(r * 86400000, {rows}) AS ms,
        toUInt32(cityHash64(r) % {seeds}) AS n FROM numbers({count})) AS event
INNER JOIN d.seed AS seed ON event.n = seed.n
SETTINGS max_threads = 1, max_insert_threads = 1, async_insert = 0, max_block_size = 10000,
    min_insert_block_size_rows = 10000, join_algorithm = 'hash'
"""
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


def seed(connection: Connection, folder: Path) -> int:
    """Put the retail events, decoded, into d.seed; how many."""
    drafts = [parse_event(body) for body in bodies()["retail"]]
    path = folder / "seed.json"
    with path.open("w") as file:
        for number, draft in enumerate(drafts):
            file.write(f'{{"n": {number}, "event": {represent(draft).decode()}}}\n')
    connection.query(
        f"CREATE TABLE d.seed ENGINE = MergeTree ORDER BY n AS SELECT n, event.event_type AS event_type,"  # noqa: S608
        " event.event_source AS event_source, event.event_payload.operation AS operation,"
        " event.entity_id AS entity_id, event.entity_name AS entity_name,"
        " event.event_payload.key_attributes AS key_attributes,"
        " base64Decode(event.event_payload.base64_encoded_payload_json) AS payload,"
        " base64Decode(event.event_payload.base64_encoded_fault_json) AS fault"
        f" FROM file('{path}', JSONEachRow, 'n UInt32, event Tuple(event_type String,"
        " event_source String, entity_id String, entity_name Nullable(String), event_payload Tuple("
        " operation String, key_attributes Map(String, String),"
        " base64_encoded_payload_json Nullable(String),"
        " base64_encoded_fault_json Nullable(String)))')"
    )
    return len(drafts)


def fill(folder: Path, rows: int, with_columns: bool) -> tuple[Connection, float]:
    """A database with so many rows, and CPU microseconds per row, merges included."""
    connection = chdb.connect(str(folder / "data"))
    connection.query("CREATE DATABASE d")
    for migration in migrations() if with_columns else migrations()[:1]:
        for statement in statements(migration.text, "d"):
            connection.query(statement)
    seeds, now, used = seed(connection, folder), int(time.time() * 1000), 0.0
    for at in range(0, rows, INSERT_ROWS):
        count = min(INSERT_ROWS, rows - at)
        before = cpu_s()
        connection.query(
            FILL.format(tenants=TENANTS, at=at, now=now, rows=rows, seeds=seeds, count=count)
        )
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

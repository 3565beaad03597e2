"""Kafka to ClickHouse, and GET by id: CPU per event of client and server beside a raw chDB insert.

`python -m bench.view [--events N]`. The log is filled first, then the materializer starts and is
measured until the last row is there; the limit is the same rows inserted into chDB in one process
from ClickHouse's own binary format, batches of the same size, the better of two runs.
"""

import argparse
import subprocess
import sys
import tempfile
import time

import chdb
import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.fill import fill, just_made
from bench.servers import cpu_s, process, servers
from cli.endpoints import Endpoints
from contracts.schema import migrations, statements
from contracts.table import INSERT_SETTINGS
from local.stack import Ports, environment

TENANT = "bench"
BATCH_ROWS = 10_000
COLUMNS = (
    "tenant, id, received_at, event_type, event_source, operation, entity_id, entity_name,"
    " payload_entity_id, key_attributes, payload, fault, kafka_partition, kafka_offset, precedence"
)


def sql(where: Endpoints, query: str) -> bytes:
    """The raw answer of the server under measurement."""
    return httpx.post(where.clickhouse, content=query, timeout=120).raise_for_status().content


def materialize(where: Endpoints, ports: Ports, server: psutil.Process, count: int) -> list[float]:
    """Events/s, and CPU microseconds per event of the materializer and of the server."""
    argv = [sys.executable, "-m", "processors", "materialize"]
    with subprocess.Popen(argv, env=environment(ports), stderr=subprocess.DEVNULL) as child:
        client, rows, began_s, used = psutil.Process(child.pid), 0, 0.0, (0.0, 0.0)
        while rows < count:
            before = (cpu_s(client), cpu_s(server))
            rows = int(sql(where, "SELECT count() FROM events.events"))
            if not began_s and rows:
                began_s, first_rows, used = time.perf_counter(), rows, before
            time.sleep(0.05)
        seconds = time.perf_counter() - began_s
        measured = count - first_rows
        costs = [cpu_s(client) - used[0], cpu_s(server) - used[1]]
        child.terminate()
    return [measured / seconds, *(cost / measured * 1e6 for cost in costs)]


def raw_insert(where: Endpoints, count: int) -> float:
    """CPU microseconds per row of inserting the same rows into chDB in this process."""
    batches = [
        sql(
            where,
            f"SELECT {COLUMNS} FROM events.events ORDER BY kafka_partition, kafka_offset"  # noqa: S608
            f" LIMIT {BATCH_ROWS} OFFSET {start} FORMAT Native",
        )
        for start in range(0, count, BATCH_ROWS)
    ]
    settings = ", ".join(f"{name} = '{value}'" for name, value in INSERT_SETTINGS.items())
    this, figures = psutil.Process(), []
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection = chdb.connect(folder)
        connection.query("CREATE DATABASE events")
        for migration in migrations():
            for statement in statements(migration.text, "events"):
                connection.query(statement)
        for _ in range(2):
            before = cpu_s(this)
            for batch in batches:
                inserter = connection.send_insert(
                    f"INSERT INTO events.events ({COLUMNS}) SETTINGS {settings}", "Native"
                )
                inserter.append(batch)  # type: ignore[no-untyped-call]
                inserter.finish()
            figures.append((cpu_s(this) - before) / count * 1e6)
        connection.close()
    return min(figures)


def lookups(where: Endpoints, ports: Ports, server: psutil.Process, ids: list[str]) -> Table:
    """GET by id at several numbers of connections."""
    table = Table("GET by id", "connections", "req/s", "p50 ms", "p99 ms", "query us", "server us")
    headers = where.headers(TENANT)
    step = max(1, len(ids) // 2000)
    requests = [load.request("GET", f"/api/v1/events/{found}", headers) for found in ids[::step]]
    port = ports.base + 7
    with process(["-m", "query"], ports, port, "/readyz") as query:
        uvloop.run(load.run(port, requests, 8, 1))
        for connections in (1, 32, 64):
            before = (cpu_s(query), cpu_s(server))
            result = uvloop.run(load.run(port, requests, connections, 5))
            if set(result.statuses) != {200}:
                raise RuntimeError(f"not every answer was 200: {result.statuses}")
            costs = [
                (after - start) / result.total * 1e6
                for after, start in zip((cpu_s(query), cpu_s(server)), before, strict=True)
            ]
            table.add_row(
                f"{len(ids):,} rows",
                str(connections),
                f"{result.total / result.seconds:,.0f}",
                f"{result.quantile_ms(0.5):.1f}",
                f"{result.quantile_ms(0.99):.1f}",
                *(f"{cost:,.0f}" for cost in costs),
            )
    return table


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.view", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events in the log")
    count = parser.parse_args().events
    console = Console()
    with servers() as (where, ports, server):
        ids = uvloop.run(fill(where.kafka, TENANT, just_made(TENANT, count)))
        rate, client_us, server_us = materialize(where, ports, server, count)
        limit_us = raw_insert(where, count)
        table = Table(
            "Kafka -> ClickHouse", "events/s", "client us", "server us", "raw us", "ratio"
        )
        table.add_row(
            f"{count:,} events",
            f"{rate:,.0f}",
            f"{client_us:.1f}",
            f"{server_us:.1f}",
            f"{limit_us:.1f}",
            f"{(client_us + server_us) / limit_us:.2f}",
        )
        console.print(table, lookups(where, ports, server, ids))


if __name__ == "__main__":
    main()

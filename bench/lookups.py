"""GET by id alone over a table that grows: latency, requests/s, CPU, and the table's bytes on disk.

`python -m bench.lookups [--rows N ...] [--seconds S] [--no-one-core]`. The table grows to each number
of rows in turn: ten tenants, four rows a second, inserted 10,000 at once and merged as ClickHouse
does by itself. Ids are taken at random from the whole table. On one core: the query process and
ClickHouse share one CPU, the load generator has the others.
"""

import argparse
import contextlib
import os
import random
import time
from collections.abc import Iterator
from functools import partial

import psutil
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import load
from bench.load_test import positive
from bench.rows import TENANTS, Times, insert, seed
from bench.servers import cpu_s, process, servers, sql
from cli.endpoints import Endpoints
from local.stack import Ports

EVERY_US = 250_000
STATEMENT_ROWS = 100_000
IDS = 20_000
QUIET_S = 5
MERGES_TIMEOUT_S = 900
CAN_PIN = hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1
PARTS = """
SELECT count(), sum(bytes_on_disk) / sum(rows) FROM system.parts
WHERE database = 'events' AND table = 'events' AND active
"""
MERGES = "SELECT count() FROM system.merges WHERE database = 'events' AND table = 'events'"
RANDOM_IDS = f"SELECT tenant, id FROM events.events ORDER BY rand() LIMIT {IDS}"  # noqa: S608


def grow(where: Endpoints, seeds: int, times: Times, rows: range, keyed: int = 0) -> None:
    """Insert the rows of these numbers and wait until nothing is being merged any more."""
    steps = range(rows.start, rows.stop, STATEMENT_ROWS)
    for first in track(steps, description=f"filling to {rows.stop:,} rows", transient=True):
        part = range(first, min(first + STATEMENT_ROWS, rows.stop))
        insert(partial(sql, where), "events", seeds, times, part, keyed)
    give_up = time.monotonic() + MERGES_TIMEOUT_S
    quiet_s = time.monotonic()
    while time.monotonic() < quiet_s + QUIET_S:
        if int(sql(where, MERGES)):
            quiet_s = time.monotonic()
        if time.monotonic() > give_up:
            raise TimeoutError(f"ClickHouse still merges after {MERGES_TIMEOUT_S} s")
        time.sleep(0.2)


def gets(where: Endpoints) -> list[bytes]:
    """Requests for random ids of the whole table, each as its tenant."""
    headers = {tenant: where.headers(tenant) for tenant in TENANTS}
    found = [line.split("\t") for line in sql(where, RANDOM_IDS).decode().splitlines()]
    return [
        load.request("GET", f"/api/v1/events/{event_id}", headers[tenant])
        for tenant, event_id in found
    ]


def pin(pinned: psutil.Process, cpus: set[int]) -> None:
    """Let every thread of `pinned`, and whatever these start, run on `cpus` alone."""
    for _ in range(2):  # the second finds what a thread started before its turn
        for thread in pinned.threads():
            with contextlib.suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(thread.id, cpus)


@contextlib.contextmanager
def one_core(measured: list[psutil.Process]) -> Iterator[None]:
    """`measured` share one CPU, this process has the others, as long as the context is open."""
    cpus, this = os.sched_getaffinity(0), psutil.Process()
    theirs = {min(cpus)}
    try:
        for each in measured:
            pin(each, theirs)
        pin(this, cpus - theirs)
        yield
    finally:
        for each in (*measured, this):
            pin(each, cpus)


def lookups(
    where: Endpoints, ports: Ports, server: psutil.Process, seconds: float, on_one_core: bool
) -> Iterator[list[str]]:
    """Connections, requests/s, p50 and p99 in ms, CPU microseconds of query and of `server`."""
    requests, port = gets(where), ports.base + 7
    with (
        process(["-m", "query"], ports, port, "/readyz") as query,
        one_core([query, server]) if on_one_core else contextlib.nullcontext(),
    ):
        uvloop.run(load.run(port, requests, 8, 1))
        for connections in (1, 8, 32, 64):
            random.shuffle(requests)
            before = (cpu_s(query), cpu_s(server))
            result = uvloop.run(load.run(port, requests, connections, seconds))
            used = (cpu_s(query) - before[0], cpu_s(server) - before[1])
            if set(result.statuses) != {200}:
                raise RuntimeError(f"not every answer was 200: {result.statuses}")
            yield [
                str(connections),
                f"{result.total / result.seconds:,.0f}",
                f"{result.quantile_ms(0.5):.1f}",
                f"{result.quantile_ms(0.99):.1f}",
                *(f"{cost / result.total * 1e6:,.0f}" for cost in used),
            ]


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.lookups", description=__doc__)
    parser.add_argument(
        "--rows",
        type=positive,
        nargs="+",
        default=[1_000_000, 10_000_000],
        help="sizes of the table",
    )
    parser.add_argument("--seconds", type=positive, default=10, help="of each measurement")
    parser.add_argument(
        "--one-core", action=argparse.BooleanOptionalAction, default=CAN_PIN,
        help="query and ClickHouse share one CPU; default where the system can do that",
    )  # fmt: skip
    arguments = parser.parse_args()
    if arguments.one_core and not CAN_PIN:
        parser.error("--one-core needs a second CPU, and a system that binds processes to CPUs")
    cores = (
        "on one core, the load on others" if arguments.one_core else "on all cores, with the load"
    )
    disk = Table("rows", "parts", "bytes/row on disk", title="table of events")
    columns = ("rows", "connections", "req/s", "p50 ms", "p99 ms", "query us", "server us")
    table = Table(*columns, title=f"GET by id, query and ClickHouse {cores}")
    sizes = sorted(set(arguments.rows))
    times = Times(time.time_ns() // 1_000_000 - sizes[-1] * EVERY_US // 1000, EVERY_US)
    with servers() as (where, ports, running):
        server = running["clickhouse"]
        seeds, there = seed(partial(sql, where), where.home, "events"), 0
        for size in sizes:
            grow(where, seeds, times, range(there, size))
            there = size
            parts, row_bytes = sql(where, PARTS).decode().split()
            disk.add_row(f"{size:,}", parts, f"{float(row_bytes):,.0f}")
            for row in lookups(where, ports, server, arguments.seconds, arguments.one_core):
                table.add_row(f"{size:,}", *row)
    Console().print(disk, table)


if __name__ == "__main__":
    main()

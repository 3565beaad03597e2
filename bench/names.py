"""What the materializer asks of a large table for events under Idempotency-Keys.

`python -m bench.names [--rows N] [--keyed N] [--times N]`. The table is filled as by `bench.lookups`, so
many of each hundred ids derived from keys. Measured: making the filter that says which ids have to be
asked for, asking for ids that are there and that are not, and the share of ids that are asked for
needlessly.
"""

import argparse
import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

import psutil
from rich.console import Console
from rich.table import Table

from bench.load_test import positive
from bench.lookups import EVERY_US, grow
from bench.rows import TENANTS, Times, seed
from bench.servers import cpu_s, servers, sql
from cli.endpoints import Endpoints
from contracts.encoding.block import Name
from contracts.ids import IS_DERIVED, derived_id
from processors.materialize.names import NamesFilter
from processors.materialize.rows import ClickHouseRows
from processors.upkeep.database import Database
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection

AT_ONCE = (1, 100, 500)
ABSENT = 100_000
PRESENT = f"SELECT tenant, id FROM events.events WHERE {IS_DERIVED} ORDER BY rand() LIMIT {{count}}"  # noqa: S608


async def timed(
    server: psutil.Process, times: int, ask: Callable[[int], Awaitable[object]]
) -> list[str]:
    """Median of wall and mean of the server's CPU, both in ms."""
    walls, before_s = [], cpu_s(server)
    for number in range(times):
        began_s = time.perf_counter()
        await ask(number)
        walls.append((time.perf_counter() - began_s) * 1000)
    used_ms = (cpu_s(server) - before_s) / times * 1000
    return [f"{statistics.median(walls):,.1f}", f"{used_ms:,.1f}"]


def absent(count: int) -> list[Name]:
    """Names of events that nobody posted."""
    unknown = uuid.uuid4().bytes
    return [(TENANTS[0], derived_id(TENANTS[0], unknown, number, "e")) for number in range(count)]


async def measure(
    where: Endpoints, server: psutil.Process, times: int
) -> list[tuple[str, list[str]]]:
    """Rows of the table that is printed: what was asked, wall and CPU in ms."""
    connection = ClickHouseConnection(url=where.clickhouse)
    clickhouse = ClickHouse(connection)
    rows = Database(clickhouse, connection).rows_in_use(0)
    found: list[tuple[str, list[str]]] = []
    try:
        names = NamesFilter()

        async def fill(_: int) -> None:
            nonlocal names
            names = await rows.filter()

        found.append(("the filter", await timed(server, 3, fill)))
        for count in AT_ONCE:
            for what, some in (("absent", absent), ("present", partial(present, where))):
                asked = [some(count) for _ in range(times)]
                ask = partial(_shown, rows, asked)
                found.append((f"{count} {what}", await timed(server, times, ask)))
    finally:
        await clickhouse.close()
    needless = sum(names.may_hold(event_id) for _, event_id in absent(ABSENT)) / ABSENT
    size = names.bytes / 2**20
    return [*found, (f"filter of {size:,.1f} MiB, needless {needless:.2%}", ["", ""])]


async def _shown(rows: ClickHouseRows, asked: list[list[Name]], number: int) -> None:
    await rows.shown(asked[number])


def present(where: Endpoints, count: int) -> list[Name]:
    """Random names of the table's derived ids."""
    lines = sql(where, PRESENT.format(count=count)).decode().splitlines()
    return [(tenant, event_id) for tenant, event_id in (line.split("\t") for line in lines)]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.names", description=__doc__)
    parser.add_argument("--rows", type=positive, default=10_000_000, help="size of the table")
    parser.add_argument("--keyed", type=int, default=50, help="of 100 events under keys")
    parser.add_argument("--times", type=positive, default=10, help="each lookup, with other names")
    arguments = parser.parse_args()
    every = Times(time.time_ns() // 1_000_000 - arguments.rows * EVERY_US // 1000, EVERY_US)
    with servers() as (where, _, running):
        seeds = seed(partial(sql, where), where.home, "events")
        grow(where, seeds, every, range(arguments.rows), arguments.keyed)
        found = asyncio.run(measure(where, running["clickhouse"], arguments.times))
    title = f"{arguments.rows:,} rows, {arguments.keyed} % of their ids derived"
    table = Table("asked for", "wall ms", "server CPU ms", title=title)
    for what, (wall, used) in found:
        table.add_row(what, wall, used)
    Console().print(table)


if __name__ == "__main__":
    main()

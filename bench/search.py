"""GET /api/v1/events: latency and CPU of query and ClickHouse per search, and what GET by id feels of it.

`python -m bench.search [--events N] [--seconds S]`. The events are spread evenly over the last seven
days, every fifth under an Idempotency-Key; one entity has four of them.
"""

import argparse
import asyncio
import itertools
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.fill import fill, retail_events
from bench.servers import cpu_s, process, servers
from bench.view import TENANT, materialize
from contracts.encoding.codec import EventJson, named
from contracts.ids import derived_id

DAY_MS = 24 * 60 * 60 * 1000
PATH = "/api/v1/events"
SEARCHES: dict[str, dict[str, str | int]] = {
    "newest": {},
    "newest 200": {"limit": "200"},
    "faults": {"event_type": "FAULT"},
    "one day, three days ago": {"from": 4, "to": 3},
    "frequent entity": {"entity_id": "49801807939c296be1e9a4bf6783a705"},
    "rare entity": {"entity_id": "rare"},
    "no such attribute": {"key_attributes.correlationId": "none"},
    "frequent text": {"q": "TITLE"},
    "no such text": {"q": "no such text"},
    "no such text, one day": {"q": "no such text", "from": 1},
}
"""Parameters; a number is a time so many days ago."""


def of_seven_days(count: int) -> Iterator[tuple[EventJson, int]]:
    """`count` events of the last seven days: every fifth with a derived id, four of a rare entity."""
    now_ms = time.time_ns() // 1_000_000
    for number, draft in enumerate(retail_events(count)):
        received_ms = now_ms - 7 * DAY_MS * (count - number) // count
        event_id = str(uuid.UUID(int=received_ms << 80 | 7 << 76 | 2 << 62 | number))
        if number % 5 == 0:
            event_id = derived_id(TENANT, b"key-%d" % number, 0, draft.entity_id)
        event = named(draft, event_id)
        if number % (count // 4) == count // 8:
            event.entity_id = "rare"
        yield event, received_ms


def path(parameters: dict[str, str | int]) -> str:
    """The path and query of a search."""
    now_s = time.time()
    pairs = {
        name: value
        if isinstance(value, str)
        else datetime.fromtimestamp(now_s - value * DAY_MS // 1000, UTC).strftime("%FT%TZ")
        for name, value in parameters.items()
    }
    return f"{PATH}?{urlencode(pairs)}"


def searches(
    port: int, headers: dict[str, str], watched: list[psutil.Process], seconds: float
) -> Table:
    """Each search at one and at eight connections."""
    table = Table(
        "search", "connections", "searches/s", "p50 ms", "p99 ms", "query us", "server us"
    )
    for (name, parameters), connections in itertools.product(SEARCHES.items(), (1, 8)):
        requests = [load.request("GET", path(parameters), headers)]
        before = [cpu_s(each) for each in watched]
        result = uvloop.run(load.run(port, requests, connections, seconds))
        if set(result.statuses) != {200}:
            raise RuntimeError(f"not every answer was 200: {name} {result.statuses}")
        used = [cpu_s(each) - start for each, start in zip(watched, before, strict=True)]
        table.add_row(
            name,
            str(connections),
            f"{result.total / result.seconds:,.0f}",
            f"{result.quantile_ms(0.5):.1f}",
            f"{result.quantile_ms(0.99):.1f}",
            *(f"{cost / result.total * 1e6:,.0f}" for cost in used),
        )
    return table


def beside(port: int, headers: dict[str, str], ids: list[str], seconds: float) -> Table:
    """GET by id over eight connections, alone and beside eight that search for text."""
    gets = [load.request("GET", f"{PATH}/{found}", headers) for found in ids[:: len(ids) // 2000]]
    text = [load.request("GET", path(SEARCHES["no such text"]), headers)]
    table = Table("GET by id", "req/s", "p50 ms", "p99 ms")

    async def run(searching: int) -> load.Result:
        result, _ = await asyncio.gather(
            load.run(port, gets, 8, seconds), load.run(port, text, searching, seconds)
        )
        return result

    for name, searching in (("alone", 0), ("beside 8 searches for text", 8)):
        result = uvloop.run(run(searching))
        if set(result.statuses) != {200}:
            raise RuntimeError(f"not every answer was 200: {result.statuses}")
        rate, quantiles = (
            result.total / result.seconds,
            (result.quantile_ms(q) for q in (0.5, 0.99)),
        )
        table.add_row(name, f"{rate:,.0f}", *(f"{quantile:.1f}" for quantile in quantiles))
    return table


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000, help="events in the table")
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    arguments = parser.parse_args()
    with servers() as (where, ports, running):
        server = running["clickhouse"]
        ids = uvloop.run(fill(where.kafka, TENANT, of_seven_days(arguments.events)))
        materialize(where, ports, server, arguments.events)
        headers, port = where.headers(TENANT), ports.base + 7
        with process(["-m", "query"], ports, port, "/readyz") as query:
            table = searches(port, headers, [query, server], arguments.seconds)
            Console().print(table, beside(port, headers, ids, arguments.seconds))


if __name__ == "__main__":
    main()

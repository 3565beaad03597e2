"""GET /api/v1/events over a month of ten tenants: latency and CPU of query and ClickHouse per search.

`python -m bench.search [--rows N] [--keyed PERCENT] [--seconds S] [--keep FOLDER]`. The searches are
those of the tenant that has half of the rows: one after the other, each until its page is full or nothing
is left, and page by page over eight connections. Texts and values differ from request to request, so that
nothing is remembered. Then GET by id, alone and beside searches. A table is made in two minutes for each
ten million rows or so: `--keep` leaves it in FOLDER for the next run.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.history import DAY_MS, DAYS, KEYED, LARGE, make
from bench.load_test import positive
from bench.servers import cpu_s, process, servers, sql
from cli.endpoints import Endpoints
from contracts.ids import IS_DERIVED

PATH = "/api/v1/events"
DIFFERENT = 100
"""Requests of a search that are sent in turns."""
IDS = 5_000
WARM_S = 3
"""A server that has just begun answers its first queries slowly."""
NEWEST_MS = f"SELECT toInt64(toUnixTimestamp64Milli(max(received_at))) FROM events.events WHERE tenant = '{LARGE}'"  # noqa: E501, S608
SAMPLE = f"""
SELECT entity_id, key_attributes['correlationId'], extract(payload, 'ordno[0-9]+x') FROM events.events
WHERE tenant = '{LARGE}' AND startsWith(entity_id, 'entity-') AND received_at < now() - INTERVAL {{days}} DAY
    AND received_at > now() - INTERVAL {{days}} + 1 DAY
ORDER BY cityHash64(id) LIMIT {DIFFERENT} FORMAT TSV
"""  # noqa: S608 - constants alone
RANDOM_IDS = f"""
SELECT id FROM events.events WHERE tenant = '{LARGE}' AND {{condition}} ORDER BY cityHash64(id, 1) LIMIT {IDS}
"""  # noqa: S608 - constants alone
PARTS = """
SELECT count(), sum(rows), round(sum(bytes_on_disk) / sum(rows)) FROM system.parts
WHERE database = 'events' AND table = 'events' AND active FORMAT TSV
"""
Search = dict[str, str | int]
"""Parameters; a number is a time so many days before the newest event."""


def searches(where: Endpoints) -> dict[str, list[Search]]:
    """What is asked for, by name, each in different ways."""
    old = [line.split("\t") for line in _lines(where, SAMPLE.format(days=DAYS - 5))]
    recent = [line.split("\t") for line in _lines(where, SAMPLE.format(days=5))]
    numbers = range(DIFFERENT)

    def of(name: str, values: list[str], **more: str | int) -> list[Search]:
        return [{name: value, **more} for value in values]

    absent = [f"zebrafinch{number}" for number in numbers]
    month: Search = {"from": DAYS}
    return {
        "newest 50": [{"to": 0}],
        "newest 200": [{"to": 0, "limit": "200"}],
        "50 of a day, three weeks ago": [{"from": 21, "to": 20}],
        "50 faults": [{"to": 0, "event_type": "FAULT"}],
        "a frequent entity, 30 days": of("entity_id", ["49801807939c296be1e9a4bf6783a705"], **month),
        "one entity, 30 days": of("entity_id", [entity for entity, _, _ in old], **month),
        "no such entity, 30 days": of("entity_id", absent, **month),
        "one attribute, 30 days": of("key_attributes.correlationId", [it for _, it, _ in old], **month),
        "no such attribute, 30 days": of("key_attributes.correlationId", absent, **month),
        "frequent text": of("q", ["TITLE"], to=0),
        "rare word, 7 days": of("q", [word for _, _, word in recent], **{"from": 7}),
        "rare word, 30 days": of("q", [word for _, _, word in old], **month),
        "no such word, 7 days": of("q", absent, **{"from": 7}),
        "no such word, 30 days": of("q", absent, **month),
        "rare substring, 7 days": of("q", [word[2:-1] for _, _, word in recent], **{"from": 7}),
    }  # fmt: skip


def _lines(where: Endpoints, query: str) -> list[str]:
    return sql(where, query).decode().splitlines()


def paths(asked: list[Search], newest_ms: int) -> list[str]:
    """Paths and queries of these searches."""
    queries = [
        urlencode({
            name: value if isinstance(value, str) else _time(newest_ms - value * DAY_MS)
            for name, value in each.items()
        })
        for each in asked
    ]  # fmt: skip
    return [f"{PATH}?{query}" for query in queries]


def one_by_one(port: int, asked: list[str], headers: dict[str, str], seconds: float) -> load.Result:
    """Each search until its page is full or nothing is left, one after the other."""
    result = load.Result()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        began_s = now_s = time.perf_counter()
        while now_s < began_s + seconds:
            path, events = asked[result.total % len(asked)], 0
            while path:
                answer = client.get(path).raise_for_status()
                events += len(answer.json()["events"])
                full = events >= int(answer.url.params.get("limit", 50))
                path = "" if full else answer.links.get("next", {}).get("url", "")
            result.statuses[200] = result.total + 1
            result.latencies_s.append(time.perf_counter() - now_s)
            now_s = time.perf_counter()
        result.seconds = now_s - began_s
    return result


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%FT%TZ")


def measured(
    port: int,
    sent: dict[str, list[str]],
    headers: dict[str, str],
    watched: list[psutil.Process],
    seconds: float,
) -> Table:
    """Each search alone and at eight connections."""
    columns = ("search", "conns", "per s", "p50 ms", "p99 ms", "query us", "server us", "503")
    table = Table(*columns)
    rounds = [(*each, connections) for each in sent.items() for connections in (1, 8)]
    one_by_one(port, next(iter(sent.values())), headers, WARM_S)
    for name, asked, connections in rounds:
        requests = [load.request("GET", path, headers) for path in asked]
        before = [cpu_s(each) for each in watched]
        if connections == 1:
            result = one_by_one(port, asked, headers, seconds)
        else:
            result = uvloop.run(load.run(port, requests, connections, seconds))
        if not set(result.statuses) <= {200, 503}:
            raise RuntimeError(f"not every answer was 200: {name} {result.statuses}")
        used = [cpu_s(each) - start for each, start in zip(watched, before, strict=True)]
        table.add_row(
            name,
            str(connections),
            f"{result.total / result.seconds:,.1f}",
            f"{result.quantile_ms(0.5):.1f}",
            f"{result.quantile_ms(0.99):.1f}",
            *(f"{cost / result.total * 1e6:,.0f}" for cost in used),
            str(result.statuses.get(503, 0)),
        )
    return table


def beside(port: int, gets: dict[str, list[bytes]], text: list[bytes], seconds: float) -> Table:
    """GET by id over some connections, alone and beside eight that search for text."""
    table = Table("GET by id", "connections", "searching", "req/s", "p50 ms", "p99 ms")

    async def run(sent: list[bytes], connections: int, searching: int) -> load.Result:
        result, _ = await asyncio.gather(
            load.run(port, sent, connections, seconds), load.run(port, text, searching, seconds)
        )
        return result

    rounds = [(name, connections, 0) for name in gets for connections in (1, 8, 32)]
    for name, connections, searching in [*rounds, ("any", 8, 8)]:
        result = uvloop.run(run(gets[name], connections, searching))
        if set(result.statuses) != {200}:
            raise RuntimeError(f"not every answer was 200: {result.statuses}")
        rate, quantiles = (
            result.total / result.seconds,
            [result.quantile_ms(q) for q in (0.5, 0.99)],
        )
        shown = (str(connections), str(searching), f"{rate:,.0f}")
        table.add_row(name, *shown, *(f"{quantile:.1f}" for quantile in quantiles))
    return table


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--rows", type=positive, default=1_000_000, help="rows of the table")
    parser.add_argument("--seconds", type=positive, default=3, help="of each measurement")
    keyed = "of each hundred events, those under an Idempotency-Key"
    parser.add_argument(
        "--keyed", type=int, choices=range(101), default=KEYED, metavar="PERCENT", help=keyed
    )
    parser.add_argument("--keep", type=Path, help="folder that has, or will have, the table")
    arguments = parser.parse_args()
    with servers(arguments.keep) as (where, ports, running):
        server = running["clickhouse"]
        make(where, arguments.rows, arguments.keyed)
        headers, port = where.headers(LARGE), ports.base + 7
        newest_ms = int(sql(where, NEWEST_MS))
        sent = {name: paths(asked, newest_ms) for name, asked in searches(where).items()}
        text = [load.request("GET", path, headers) for path in sent["no such word, 7 days"]]
        conditions = {
            "any": "true",
            "of an Idempotency-Key": IS_DERIVED,
        }
        gets = {
            name: [
                load.request("GET", f"{PATH}/{found}", headers)
                for found in _lines(where, RANDOM_IDS.format(condition=condition))
            ]
            for name, condition in conditions.items()
        }
        parts = Table("parts", "rows", "bytes/row on disk")
        parts.add_row(*_lines(where, PARTS)[0].split("\t"))
        with process(["-m", "query"], ports, port, "/readyz") as query:
            began_s = time.monotonic()
            table = measured(port, sent, headers, [query, server], arguments.seconds)
            of_ids = beside(port, gets, text, arguments.seconds)
        Console().print(parts, table, of_ids, f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()

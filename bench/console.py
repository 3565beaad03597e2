"""What the console costs over a month of ten tenants: when a page is shown, its CPU and bytes, many tails.

`python -m bench.console [--rows N] [--keep FOLDER] [--tails 1000]`. Pages are those of the tenant that has
half of the rows, of its last day and of the month. The console is a process of its own, signed in by
tests/console/open.py, before an API of its own. A table is made in two minutes for each ten million rows or
so: `--keep` leaves it in FOLDER for the next run, as `python -m bench.search` does.
"""

import argparse
import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from bench.history import DAY_MS, DAYS, LARGE, make
from bench.load_test import positive
from bench.painted import Painted, browser, median
from bench.rows import TENANTS
from bench.search import NEWEST_MS
from bench.servers import cpu_s, process, servers, sql
from bench.tails import tails
from contracts.criteria import rfc_3339
from local.stack import Ports
from tests.processes import free_port, running_module

VIEWS, VIEWS_S = 20, 6.0
"""Of each page, but no longer than so."""
COLD = 3
WIDTH = 130
GOALS = "goals: painted <= 500 ms, CPU <= 25 ms a view, list pages <= 50 KiB"


class View(NamedTuple):
    """Ms of the console's CPU for a view, ms until it was answered, bytes of it, compressed."""

    cpu_ms: float
    answered_ms: float
    bytes: int


@contextlib.contextmanager
def console(home: Path, ports: Ports) -> Iterator[tuple[str, psutil.Process]]:
    """Its URL and its process; it shows the tenant that has most, and one of the others."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    given = ["--home", str(home), "--port", str(port), "--port-base", str(ports.base)]
    tenants = ["--tenant", LARGE, "--tenant", TENANTS[1]]
    with running_module("tests.console.open", *given, *tenants, ready=f"{url}/readyz") as running:
        yield url, psutil.Process(running.pid)


def pages(url: str, newest_ms: int) -> dict[str, str]:
    """Path by what it shows."""

    def of(path: str, days: int, **query: str) -> str:
        period = {"from": rfc_3339(newest_ms - days * DAY_MS), "to": rfc_3339(newest_ms + 1)}
        return f"{path}?{urlencode(period | query)}"

    with httpx.Client(timeout=60) as client:
        found = client.get(url + of("/search", 1, q="type:FAULT")).text
        event = found.partition('data-id="')[2][:36]
        groups = client.get(url + of("/faults", 1)).text
        group = groups.partition('href="/faults/')[2].partition("?")[0]
    return {
        "overview, a day": of("/", 1),
        "overview, a month": of("/", DAYS),
        "faults, a day": of("/faults", 1),
        "faults, a month": of("/faults", DAYS),
        "a fault, a day": of(f"/faults/{group}", 1),
        "search, a day": of("/search", 1),
        "search, a month": of("/search", DAYS),
        "search of a text": of("/search", 1, q='"not synced"'),
        "search, an event open": of("/search", 1, event=event),
        "an event": f"/events/{event}",
        "subscriptions": "/subscriptions",
    }


def views(url: str, running: psutil.Process) -> View:
    """What one view costs, by many."""
    with httpx.Client(timeout=60, headers={"Accept-Encoding": "gzip"}) as client:
        client.get(url).raise_for_status()
        took: list[float] = []
        before, size = cpu_s(running), 0
        while len(took) < VIEWS and sum(took) < VIEWS_S:
            began = time.perf_counter()
            with client.stream("GET", url) as answer:
                size = sum(len(part) for part in answer.iter_raw())
            took.append(time.perf_counter() - began)
    cpu_ms = 1000 * (cpu_s(running) - before) / len(took)
    return View(cpu_ms, 1000 * statistics.median(took), size)


def measured(
    url: str, paths: dict[str, str], running: psutil.Process, cold: Callable[..., list[Painted]]
) -> Table:
    """A line for each page."""
    columns = (
        "page",
        "CPU ms",
        "answered ms",
        "KiB",
        "painted ms",
        "whole ms",
        "requests",
        "KiB in all",
    )
    table = Table(*columns, title=GOALS)
    for name, path in paths.items():
        view, shown = views(url + path, running), median(cold(url + path, COLD))
        table.add_row(
            name,
            f"{view.cpu_ms:.1f}",
            f"{view.answered_ms:.0f}",
            f"{view.bytes / 1024:.1f}",
            f"{shown.painted_ms:.0f}",
            f"{shown.whole_ms:.0f}",
            f"{shown.requests:.0f}",
            f"{shown.bytes / 1024:.1f}",
        )
    return table


def main() -> None:
    """Measure and print a table, then the tails."""
    parser = argparse.ArgumentParser(prog="python -m bench.console", description=__doc__)
    parser.add_argument("--rows", type=positive, default=1_000_000, help="rows of the table")
    parser.add_argument("--keep", type=Path, help="folder that has, or will have, the table")
    parser.add_argument("--tails", type=int, default=1000)
    parser.add_argument("--kinds", type=int, nargs="+", default=[10, 1000], help="of the tails")
    given = parser.parse_args()
    shown = Console(width=WIDTH)
    with servers(given.keep) as (where, ports, _):
        make(where, given.rows)
        newest_ms = int(sql(where, NEWEST_MS))
        began_s = time.monotonic()
        with (
            process(["-m", "local.api"], ports, ports.by_name["api"], "/readyz") as api,
            console(where.home, ports) as (url, running),
        ):
            with browser() as cold:
                shown.print(measured(url, pages(url, newest_ms), running, cold))
            neighbour = f"{url}{pages(url, newest_ms)['search, a day']}&tenant={TENANTS[1]}"
            for kinds in given.kinds if given.tails else ():
                tail = f"{url}/search/tail"
                taken = asyncio.run(tails(tail, neighbour, (running, api), given.tails, kinds))
                shown.print(f"of {kinds} kinds:", taken)
        shown.print(f"{time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main()

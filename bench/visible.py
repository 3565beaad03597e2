"""POST to visible: how long until ClickHouse shows an event that was posted, at a steady rate.

`python -m bench.visible [--rate N] [--seconds S]`. All that `events up` runs; single POSTs of the
retail events by four tenants at times that are fixed beforehand, latencies count from those. Every 20
ms one query asks for the newest ids: when its answer is there, an event in it is visible at the
latest. All events are watched.
"""

import argparse
import asyncio
import json
import os
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.ingest import bodies
from bench.load import quantile_ms
from bench.load_test import positive
from bench.open_loop import OpenLoop, arrivals
from bench.servers import cpu_s, whole_stack
from cli.endpoints import Endpoints
from contracts.ids import made_at_ms
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection

PATH = "/api/v1/events"
TENANTS = [f"tenant-{number}" for number in range(4)]
CONNECTIONS = 256
POLL_S = 0.02
WARM_S = 5
VISIBLE_TIMEOUT_S = 60
ACHIEVED_SHARE = 0.98
NEWEST = """
SELECT id FROM events.events WHERE received_at >= fromUnixTimestamp64Milli({since_ms}) FORMAT TSV
"""


class Watch:
    """When each acknowledged event was seen in the table: `seen_s` by id."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self.seen_s: dict[str, float] = {}
        self._clickhouse = clickhouse
        self._unseen: set[str] = set()

    def acknowledged(self, event_id: str) -> None:
        """Look for this event, if it has not been seen before its answer came."""
        if event_id not in self.seen_s:
            self._unseen.add(event_id)

    async def run(self, posted: "asyncio.Task[None]") -> None:
        """Poll until `posted` is done and all is seen. Raises `TimeoutError`, `ClickHouseFailed`."""
        give_up = float("inf")
        while self._unseen or not posted.done():
            if not posted.done():
                give_up = time.perf_counter() + VISIBLE_TIMEOUT_S
            if time.perf_counter() > give_up:
                raise TimeoutError(f"{len(self._unseen):,} events are not visible")
            next_s = time.perf_counter() + POLL_S
            if self._unseen:
                await self._poll()
            await asyncio.sleep(max(0, next_s - time.perf_counter()))

    async def _poll(self) -> None:
        since_ms = made_at_ms(uuid.UUID(min(self._unseen)))  # ids begin with their time
        ids = (await self._clickhouse.select(NEWEST.format(since_ms=since_ms))).decode().split()
        now_s = time.perf_counter()
        for event_id in ids:
            self.seen_s.setdefault(event_id, now_s)
        self._unseen.difference_update(ids)


@dataclass
class Measured:
    """What a load saw: answers by status, latencies in seconds from the time to send."""

    statuses: Counter[int] = field(default_factory=Counter)
    answer_s: list[float] = field(default_factory=list)
    sent_s: dict[str, float] = field(default_factory=dict)  # of acknowledged events, by id
    visible_s: list[float] = field(default_factory=list)
    seconds: float = 0.0


async def measure(where: Endpoints, rate: float, seconds: float) -> Measured:
    """Post at `rate` per second and watch the table until it shows all that was acknowledged."""
    found, texts = Measured(), bodies().get("retail", bodies()["800 B"])
    headers = [where.headers(tenant) for tenant in TENANTS]
    requests = [load.request("POST", PATH, one, text) for text in texts for one in headers]
    due_s = arrivals(rate, seconds)
    clickhouse = ClickHouse(ClickHouseConnection(url=where.clickhouse))
    watch = Watch(clickhouse)

    def answered(number: int, status: int, body: bytes, now_s: float) -> None:
        sent_s = posts.began_s + due_s[number]
        found.statuses[status] += 1
        found.answer_s.append(now_s - sent_s)
        if status == 201:
            event_id = json.loads(body)["id"]
            found.sent_s[event_id] = sent_s
            watch.acknowledged(event_id)

    posts = OpenLoop(requests, due_s, answered)
    posting = asyncio.create_task(posts.run(int(where.api.rpartition(":")[2]), CONNECTIONS))
    try:
        await watch.run(posting)
        await posting
    finally:
        posting.cancel()
        await clickhouse.close()
    found.visible_s = [watch.seen_s[event_id] - at for event_id, at in found.sent_s.items()]
    found.seconds = posts.ended_s - posts.began_s
    return found


def processes(where: Endpoints) -> dict[str, psutil.Process]:
    """Those of the stack, and this one, by name."""
    state = json.loads((where.home / "state.json").read_text())
    pids = {name: known["pid"] for name, known in state["processes"].items()}
    return {name: psutil.Process(pid) for name, pid in {**pids, "this load": os.getpid()}.items()}


def main() -> None:
    """Measure and print three tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.visible", description=__doc__)
    parser.add_argument("--rate", type=positive, default=2000, help="events per second")
    parser.add_argument("--seconds", type=positive, default=30, help="length of the load")
    arguments = parser.parse_args()
    with whole_stack() as where:
        uvloop.run(measure(where, arguments.rate, WARM_S))
        watched = processes(where)
        before = {name: cpu_s(each) for name, each in watched.items()}
        found = uvloop.run(measure(where, arguments.rate, arguments.seconds))
        used = {name: cpu_s(each) - before[name] for name, each in watched.items()}
        resident = [each.memory_info().rss for each in watched.values()]
    rate = len(found.answer_s) / found.seconds
    latencies = Table("ms from POST to", "p50", "p90", "p99", "max")
    for name, seconds in (("its answer", found.answer_s), ("visible", found.visible_s)):
        quantiles = (f"{quantile_ms(seconds, share):,.0f}" for share in (0.5, 0.9, 0.99, 1))
        latencies.add_row(name, *quantiles)
    totals = Table("events/s", "answers", "visible")
    totals.add_row(f"{rate:,.0f}", str(dict(found.statuses)), f"{len(found.visible_s):,}")
    costs = Table("process", "CPU, of one core", "MiB in the end")
    for (name, cpu), size in zip(used.items(), resident, strict=True):
        costs.add_row(name, f"{cpu / found.seconds:.0%}", f"{size / 2**20:,.0f}")
    Console().print(totals, latencies, costs)
    if rate < ACHIEVED_SHARE * arguments.rate:
        raise SystemExit(f"{arguments.rate:,.0f} events/s were asked for, not achieved")


if __name__ == "__main__":
    main()

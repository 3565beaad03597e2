"""POST to received: how long until a queue has what was posted, at a steady rate.

`python -m bench.received [--rate N] [--seconds S]`. The edge and the router as `events up` runs them, 1,000
subscriptions of which about one accepts an event, and an SQS that answers at once. An open loop: single
POSTs at times that are fixed beforehand, latencies count from those, to when the message came.
"""

import argparse
import contextlib
import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import httpx
import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import hop, load
from bench.deliver import instant
from bench.load import quantile_ms
from bench.load_test import positive
from bench.open_loop import OpenLoop, arrivals
from bench.servers import cpu_s, process, servers
from cli.endpoints import Endpoints

PATH, CONNECTIONS, WARM_S = "/api/v1/events", 256, 5.0
ACHIEVED_SHARE, LIMIT_MS = 0.98, 300.0
ASK_TIMEOUT_S = 60


class Posted:
    """What a load saw: answers by status, and when each acknowledged event was to be sent, by id."""

    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.sent_s: dict[str, float] = {}
        self.seconds = 0.0


async def post(where: Endpoints, bodies: list[bytes], rate: float, seconds: float) -> Posted:
    """Post at `rate` per second; return with the last answer."""
    found, headers = Posted(), where.headers(hop.TENANT)
    requests = [load.request("POST", PATH, headers, body) for body in bodies]
    due_s = arrivals(rate, seconds)

    def answered(number: int, status: int, body: bytes, now_s: float) -> None:
        found.statuses[status] += 1
        if status == httpx.codes.CREATED:
            found.sent_s[json.loads(body)["id"]] = posts.began_s + due_s[number]

    posts = OpenLoop(requests, due_s, answered)
    await posts.run(int(where.api.rpartition(":")[2]), CONNECTIONS)
    found.seconds = posts.ended_s - posts.began_s
    return found


def received(url: str) -> dict[str, float]:
    """When each event came since the last time that this was asked, by id."""
    answer = httpx.post(url, headers={"X-Amz-Target": "Received"}, timeout=ASK_TIMEOUT_S)
    return dict(answer.raise_for_status().json())


def all_received(url: str, wanted: int) -> dict[str, float]:
    """The same, when there are as many as are `wanted`."""
    found: dict[str, float] = {}
    give_up_s = hop.DONE_S + time.monotonic()
    while len(found) < wanted:
        assert time.monotonic() < give_up_s, f"{len(found)} of {wanted} came"
        time.sleep(hop.POLL_S)
        found |= received(url)
    return found


def main() -> None:
    """Measure and print; the exit status tells whether the limit was kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.received", description=__doc__)
    parser.add_argument("--rate", type=positive, default=2000, help="events per second")
    parser.add_argument("--seconds", type=positive, default=30, help="length of the load")
    options = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")
    work = hop.load(spread=False)
    with contextlib.ExitStack() as up:
        folder = Path(up.enter_context(tempfile.TemporaryDirectory(prefix="events-bench-")))
        url = up.enter_context(instant(folder, "--record"))["HTTP"]
        where, ports, _ = up.enter_context(servers())
        uvloop.run(hop.subscribe(where.kafka, work.patterns))
        uvloop.run(hop.begin_at_end(where.kafka))
        port = ports.by_name["route"]
        more = {"EVENTS_PROBES__PORT": str(port), "EVENTS_SQS__ENDPOINT_URL": url}
        argv = ["-m", "processors", "route"]
        router = up.enter_context(process(argv, ports, port, "/readyz", more))
        edge = up.enter_context(
            process(["-m", "local.api"], ports, ports.by_name["api"], "/readyz")
        )
        warm = uvloop.run(post(where, work.bodies, options.rate, WARM_S))
        all_received(url, _accepted(work, warm))
        before = _cpu_s(router, edge)
        posted = uvloop.run(post(where, work.bodies, options.rate, options.seconds))
        came_s = all_received(url, _accepted(work, posted))
        shares = [
            (after - at) / posted.seconds
            for after, at in zip(_cpu_s(router, edge), before, strict=True)
        ]
    took_s = [at_s - posted.sent_s[id_] for id_, at_s in came_s.items() if id_ in posted.sent_s]
    rate = posted.statuses.total() / posted.seconds
    table = Table(
        "events/s", "answers", "received", "p50 ms", "p90 ms", "p99 ms", "max ms", "route", "edge"
    )
    quantiles = [quantile_ms(took_s, share) for share in (0.5, 0.9, 0.99, 1)]
    table.add_row(
        f"{rate:,.0f}",
        str(dict(posted.statuses)),
        f"{len(took_s):,}",
        *(f"{ms:,.0f}" for ms in quantiles),
        *(f"{share:.0%} of a core" for share in shares),
    )
    Console().print(table)
    if rate < ACHIEVED_SHARE * options.rate:
        raise SystemExit(f"{options.rate:,.0f} events/s were asked for, not achieved")
    raise SystemExit(quantiles[2] > LIMIT_MS)


def _accepted(work: hop.Load, posted: Posted) -> int:
    """How many events come: each kind of source has a queue, so all that were acknowledged."""
    assert work.messages_per_event >= 1
    return len(posted.sent_s)


def _cpu_s(*processes: psutil.Process) -> list[float]:
    return [cpu_s(each) for each in processes]


if __name__ == "__main__":
    main()

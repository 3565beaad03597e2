"""POST to GET: how soon an event can be read after its 201, with the log looked into and without, in turns.

`python -m bench.read_now [--rate N] [--gets N] [--seconds S] [--rounds R] [--elsewhere]`. Single POSTs
by four tenants at times that are fixed beforehand; some of them are read as soon as they are answered.
Two query processes, one with `EVENTS_LOG_READ_BYTES_MAX=0`, and nobody take turns: what a GET costs
is what a turn with it used more than a turn without. `--elsewhere` puts the events that are read into one
partition and all others into the other five: then only these grow with `--rate`.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import statistics
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.load import Connection, quantile_ms
from bench.load_test import positive
from bench.open_loop import OpenLoop, arrivals
from bench.servers import NO_LIMITS, cpu_s, process, servers
from contracts.encoding.recordbatch import hash_of
from contracts.encoding.wire import record_key
from contracts.topics import TopicSettings

PATH = "/api/v1/events"
TENANTS = [f"tenant-{number}" for number in range(4)]
CONNECTIONS = 128
ENTITIES = 60
GETS_TIMEOUT_S = 30


@dataclass
class Turn:
    """What one turn saw: seconds from each 201 to its GET's 200, other answers, CPU seconds by process."""

    read_s: list[float] = field(default_factory=list)
    others: Counter[int] = field(default_factory=Counter)
    used: dict[str, float] = field(default_factory=dict)


class Gets:
    """GETs over a few connections, each sent when it is asked for, or when one is free."""

    def __init__(self, turn: Turn) -> None:
        self.left = 0
        self._turn = turn
        self._free: deque[_Get] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()

    async def connect(self, port: int) -> None:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            await loop.create_connection(lambda: _Get(self), "127.0.0.1", port)

    def ask(self, request: bytes, since_s: float) -> None:
        """Send `request`; its latency counts from `since_s`."""
        self.left += 1
        self._waiting.append((request, since_s))
        self._send()

    def free(self, connection: "_Get") -> None:
        """This connection can take a request."""
        self._free.append(connection)
        self._send()

    def _send(self) -> None:
        while self._waiting and self._free:
            self._free.popleft().send(*self._waiting.popleft())

    def answered(self, status: int, since_s: float) -> None:
        """One has its answer."""
        self.left -= 1
        if status == 200:
            self._turn.read_s.append(time.perf_counter() - since_s)
        else:
            self._turn.others[status] += 1


class _Get(Connection):
    def __init__(self, gets: Gets) -> None:
        super().__init__()
        self._gets = gets
        self._since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gets.free(self)

    def send(self, request: bytes, since_s: float) -> None:
        self._since_s = since_s
        self.transport.write(request)

    def answered(self, status: int, body: bytes) -> None:
        self._gets.answered(status, self._since_s)
        self._gets.free(self)


def requests(
    headers: Sequence[Mapping[str, str]], every: int, elsewhere: bool
) -> tuple[list[bytes], list[Mapping[str, str]]]:
    """POSTs, the first of each `every` to be read, and the headers of each."""
    partitions = TopicSettings().partitions
    posts, whose = [], []
    numbers = itertools.count()
    for place in range(ENTITIES * every):
        tenant = place % len(TENANTS) if every % len(TENANTS) else (place // every) % len(TENANTS)
        while True:
            entity = f"order-{next(numbers)}"
            there = hash_of(record_key(TENANTS[tenant], entity)) % partitions == 0
            if not elsewhere or there == (place % every == 0):
                break
        event = {
            "entity_id": entity,
            "entity_name": "n" * 400,
            "event_payload": {"operation": "UPDATE", "key_attributes": {"correlationId": entity}},
            "event_source": "ORDER",
            "event_type": "FAULT",
        }
        body = json.dumps(event).encode()
        posts.append(load.request("POST", PATH, dict(headers[tenant]), body))
        whose.append(headers[tenant])
    return posts, whose


async def one_turn(
    edge: int, query: int | None, rate: float, every: int, seconds: float,
    posts: list[bytes], whose: list[Mapping[str, str]],
) -> Turn:  # fmt: skip
    """Post at `rate`; read the first of each `every` through `query`."""
    turn = Turn()
    gets = Gets(turn)
    if query is not None:
        await gets.connect(query)

    def answered(number: int, status: int, body: bytes, now_s: float) -> None:
        if status != 201:
            turn.others[status] += 1
        elif query is not None and number % every == 0:
            path = f"{PATH}/{json.loads(body)['id']}"
            gets.ask(load.request("GET", path, dict(whose[number % len(whose)])), now_s)

    posting = OpenLoop(posts, arrivals(rate, seconds), answered)
    await posting.run(edge, CONNECTIONS)
    give_up = time.perf_counter() + GETS_TIMEOUT_S
    while gets.left and time.perf_counter() < give_up:
        await asyncio.sleep(0.05)
    turn.others[0] += gets.left
    return turn


@contextlib.contextmanager
def running() -> Iterator[
    tuple[list[Mapping[str, str]], dict[str, int], dict[str, psutil.Process]]
]:
    """Servers, an edge, a materializer and two query processes: headers, ports, processes."""
    with contextlib.ExitStack() as up:
        where, ports, watched = up.enter_context(servers())
        bases = {"edge": 0, "log": 7, "view": 8, "materialize": 6}
        known = {name: ports.base + offset for name, offset in bases.items()}
        probes = {"EVENTS_PROBES__PORT": str(known["materialize"])}
        none = {"EVENTS_LOG_READ_BYTES_MAX": "0"}

        def start(name: str, argv: list[str], ready: str, more: Mapping[str, str]) -> None:
            watched[name] = up.enter_context(process(argv, ports, known[name], ready, more))

        start("materialize", ["-m", "processors", "materialize"], "/healthz", probes)
        start("edge", ["-m", "ingest"], "/readyz", NO_LIMITS)
        start("log", ["-m", "query"], "/readyz", {})
        start("view", ["-m", "query"], "/readyz", none)
        yield [where.headers(tenant) for tenant in TENANTS], known, watched


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.read_now", description=__doc__)
    parser.add_argument("--rate", type=positive, default=2000, help="events per second")
    parser.add_argument("--gets", type=positive, default=200, help="of them read at once")
    parser.add_argument("--seconds", type=positive, default=10, help="of one turn")
    parser.add_argument("--rounds", type=positive, default=3, help="turns of each")
    parser.add_argument("--elsewhere", action="store_true", help="all others in other partitions")
    arguments = parser.parse_args()
    every = max(1, round(arguments.rate / arguments.gets))
    turns: dict[str, list[Turn]] = {"nobody": [], "view": [], "log": []}
    with running() as (headers, ports, watched):
        posts, whose = requests(headers, every, arguments.elsewhere)

        def turn(name: str, seconds: float) -> Turn:
            before = {each: cpu_s(of) for each, of in watched.items()}
            found = uvloop.run(
                one_turn(
                    ports["edge"], ports.get(name), arguments.rate, every, seconds, posts, whose
                )
            )
            found.used = {each: cpu_s(of) - before[each] for each, of in watched.items()}
            return found

        for name in turns:
            turn(name, 3)  # warm
        for _ in range(arguments.rounds):
            for name, its in turns.items():
                its.append(turn(name, arguments.seconds))
    latencies = Table("read through", "p50 ms", "p90", "p99", "max", "200s", "others")
    costs = Table("us of CPU per GET", "query", "kafka", "clickhouse")
    for name in ("view", "log"):
        reads = list(itertools.chain.from_iterable(each.read_s for each in turns[name]))
        others = sum((each.others for each in turns[name]), Counter[int]())
        quantiles = (f"{quantile_ms(reads, share):,.1f}" for share in (0.5, 0.9, 0.99, 1))
        latencies.add_row(
            name, *quantiles, f"{len(reads):,}", str({k: v for k, v in others.items() if v})
        )
        per_get = [
            statistics.median(
                1e6 * (its.used[each] - idle.used[each]) / max(1, len(its.read_s))
                for its, idle in zip(turns[name], turns["nobody"], strict=True)
            )
            for each in (name, "kafka", "clickhouse")
        ]
        costs.add_row(name, *(f"{cost:,.0f}" for cost in per_get))
    Console().print(latencies, costs)


if __name__ == "__main__":
    main()

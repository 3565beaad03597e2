"""Fifty queues of which five are bad: what the others feel, as the time from POST to received.

`python -m bench.neighbours [--rate N] [--seconds S] [--rounds R]`. The real router, from a real topic to an
SQS that checks as AWS does; five of its queues are silent, slow (2 s), throttling, denying and failing, in
every other phase. Phases alternate in one run; a phase begins when its five turn bad. The first seconds, in
which the router finds that out, are told apart. An event's time is that of its id.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import uvloop
from rich.console import Console
from rich.table import Table

from bench import hop
from bench.load import quantile_ms
from bench.load_test import positive
from bench.servers import process, servers
from contracts.ids import made_at_ms
from contracts.topics import EVENTS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.fakes.sqs import StrictSqs
from tests.fakes.sqs_queue import Faults, Queue

QUEUES, LIMIT = 50, 2.0
FOUND_OUT_S = 5.0
WARM_S, DONE_S, TICK_S = 5.0, 120.0, 0.01
BAD = (
    Faults(refuse="ServiceUnavailable", slow_s=60.0),
    Faults(slow_s=2.0),
    Faults(refuse="RequestThrottled"),
    Faults(refuse="AccessDenied"),
    Faults(failing=0.5),
)


class Latency(NamedTuple):
    """Seconds from the phase's beginning to the event, and from it to its coming."""

    posted_s: float
    took_s: float


class Phases:
    """Posts, and reads from the queues when it came."""

    def __init__(self, log: EventLog, sqs: StrictSqs, bodies: Sequence[bytes], rate: float) -> None:
        self._log = log
        self._bodies = itertools.cycle(bodies)
        self._rate = rate
        self._queues = [sqs.queues[f"q{number}"] for number in range(QUEUES)]
        self._read = dict.fromkeys(range(QUEUES), 0)

    @property
    def _ill(self) -> list[Queue]:
        return self._queues[:: QUEUES // len(BAD)]

    async def phase(self, seconds: float, *, bad: bool) -> list[Latency]:
        """Post for so long; those of the queues that are always well."""
        began_s = time.time()
        for queue, faults in zip(self._ill, BAD, strict=True):
            queue.faults = faults if bad else Faults()
        posted = await self._post(round(self._rate * seconds))
        found = await self._received(posted, began_s)
        for queue in self._ill:
            queue.faults = Faults()
        async with asyncio.timeout(DONE_S):  # the next phase begins with nobody behind
            while posted["all"] > self._taken(self._queues):
                await asyncio.sleep(0.1)
        self._read = {number: len(queue.taken) for number, queue in enumerate(self._queues)}
        return found

    async def _post(self, count: int) -> dict[str, int]:
        """How many there are of all, and of those that are well."""
        began_s, ill = time.monotonic(), set(range(0, QUEUES, QUEUES // len(BAD)))
        posted = {"all": 0, "well": 0}
        appended = []
        for number in range(count):
            early_s = began_s + number / self._rate - time.monotonic()
            if early_s > TICK_S:
                await asyncio.sleep(early_s)
            body = next(self._bodies)
            appended.append(self._log.append(EVENTS, next(hop.records([body], 0, 1))))
            posted["all"] += 1
            posted["well"] += int(json.loads(body)["entity_id"]) not in ill
        await asyncio.gather(*appended)
        return posted

    def _taken(self, queues: Sequence[Queue]) -> int:
        """Different events since the last phase."""
        wanted = {id(each) for each in queues}
        return sum(
            len({_event_id(entry) for entry in queue.taken[self._read[number] :]})
            for number, queue in enumerate(self._queues)
            if id(queue) in wanted
        )

    async def _received(self, posted: dict[str, int], began_s: float) -> list[Latency]:
        ill = {id(each) for each in self._ill}
        well = [each for each in self._queues if id(each) not in ill]
        async with asyncio.timeout(DONE_S):
            while posted["well"] > self._taken(well):
                await asyncio.sleep(0.1)
        found = []
        for number, queue in enumerate(self._queues):
            if id(queue) not in ill:
                new = slice(self._read[number], None)
                for entry, at_s in zip(queue.taken[new], queue.taken_s[new], strict=True):
                    made_s = (made_at_ms(uuid.UUID(_event_id(entry))) or 0) / 1000
                    found.append(Latency(made_s - began_s, at_s - made_s))
        return found


def _event_id(entry: dict[str, dict[str, dict[str, str]]]) -> str:
    return entry["MessageAttributes"]["event_id"]["StringValue"]


async def measure(
    kafka: str, sqs: StrictSqs, options: argparse.Namespace
) -> dict[bool, list[list[Latency]]]:
    """Latencies of each phase, by whether five were bad."""
    bodies = [
        json.dumps({**json.loads(body), "entity_id": str(number % QUEUES)}).encode()
        for number, body in enumerate(hop.load(spread=True, events=1_000).bodies)
    ]
    log = EventLog(KafkaConnection(bootstrap_servers=kafka), (EVENTS,), QueueLimits(1 << 28, 30))
    await log.start()
    try:
        async with asyncio.timeout(DONE_S):
            while not log.ready:
                await asyncio.sleep(TICK_S)
        phases = Phases(log, sqs, bodies, options.rate)
        await phases.phase(WARM_S, bad=False)
        found: dict[bool, list[list[Latency]]] = {False: [], True: []}
        for _ in range(options.rounds):
            for bad in (False, True):
                found[bad].append(await phases.phase(options.seconds, bad=bad))
        return found
    finally:
        await log.stop()


def main() -> None:
    """Measure and print; the exit status tells whether the limit was kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.neighbours", description=__doc__)
    parser.add_argument("--rate", type=positive, default=300, help="events per second")
    parser.add_argument("--seconds", type=positive, default=30, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=2, help="of two phases")
    options = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")
    sqs = StrictSqs()
    for number in range(QUEUES):
        sqs.create(f"q{number}")
    with servers() as (where, ports, _), sqs.served():
        patterns = [{"entity_id": [str(number)]} for number in range(QUEUES)]
        uvloop.run(hop.subscribe(where.kafka, patterns))
        uvloop.run(hop.begin_at_end(where.kafka))
        port = ports.by_name["route"]
        more = {"EVENTS_PROBES__PORT": str(port), "EVENTS_SQS__ENDPOINT_URL": sqs.url}
        with process(["-m", "processors", "route"], ports, port, "/readyz", more):
            found = uvloop.run(measure(where.kafka, sqs, options))
    report(found)


def report(found: dict[bool, list[list[Latency]]]) -> None:
    """A row for each part of each phase; exits with 1 when the limit was not kept."""
    table = Table("of 50 queues", "messages to the 45", "p50 ms", "p99 ms", "max ms")
    p99_ms: dict[str, list[float]] = defaultdict(list)
    for bad, phases in found.items():
        for each in phases:
            parts = {
                ", first seconds": [one.took_s for one in each if one.posted_s < FOUND_OUT_S],
                ", then": [one.took_s for one in each if one.posted_s >= FOUND_OUT_S],
            }
            for part, took_s in parts.items():
                name = f"{'5 bad' if bad else 'all well'}{part}"
                quantiles = [quantile_ms(took_s, share) for share in (0.5, 0.99, 1)]
                p99_ms[name].append(quantiles[1])
                table.add_row(name, f"{len(took_s):,}", *(f"{ms:,.0f}" for ms in quantiles))
    ratio = statistics.median(p99_ms["5 bad, then"]) / statistics.median(p99_ms["all well, then"])
    Console().print(table, f"p99 beside bad ones: {ratio:.2f} of that without, limit {LIMIT:g}")
    raise SystemExit(ratio > LIMIT)


if __name__ == "__main__":
    main()

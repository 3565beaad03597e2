"""Two replays beside a live stream: what that feels, as the time from POST to received.

`python -m bench.replays [--rate N] [--per-s N] [--seconds S] [--rounds R]`. The real router, from a real
topic to an SQS that checks as AWS does: a live stream over four subscriptions of a tenant, and in every other
phase a replay to two of the four, of what was posted before. Phases take turns in one run; an event's time
is that of its id.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import statistics
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

import msgspec
import uvloop
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from bench import hop
from bench.load import quantile_ms
from bench.load_test import positive
from bench.servers import process, servers
from contracts.encoding.wire import decode_event
from contracts.ids import made_at_ms
from contracts.jobs import Job, encode, job_key
from contracts.topics import DELIVERIES_JOBS, EVENTS
from processors.consume.replay import Log
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.follow import JobsFollower
from service.kafka.partition import QueueLimits
from tests.fakes.sqs import StrictSqs

QUEUES, REPLAYED, LIMIT = 4, 2, 2.0
BACKLOG = 40_000
WARM_S, DONE_S, TICK_S, POLL_S = 5.0, 240.0, 0.01, 0.1


class Phases:
    """Posts, reads from the queues when it came, and has replays run meanwhile."""

    def __init__(self, kafka: str, sqs: StrictSqs, ids: Sequence[str], per_s: int | None) -> None:
        self._kafka = KafkaConnection(bootstrap_servers=kafka)
        self._log = EventLog(self._kafka, (EVENTS,), QueueLimits(1 << 28, 30))
        self._jobs = JobsFollower(self._kafka)
        self._ids, self._per_s = ids, per_s
        self._bodies = itertools.cycle(
            json.dumps({**json.loads(body), "entity_id": str(number % QUEUES)}).encode()
            for number, body in enumerate(hop.load(spread=True, events=1_000).bodies)
        )
        self._queues = [sqs.queues[f"q{number}"] for number in range(QUEUES)]
        self._read = [0] * QUEUES
        self._positions: list[dict[str, list[int]]] = []

    @contextlib.asynccontextmanager
    async def ready(self) -> AsyncIterator["Phases"]:
        """With a backlog that was delivered, while the context is open."""
        await self._log.start()
        await self._jobs.start()
        try:
            async with asyncio.timeout(DONE_S):
                while not (self._log.ready and self._jobs.ready):
                    await asyncio.sleep(TICK_S)
            await self._received(await self._post(BACKLOG, rate=1e9))
            self._positions = [await self._where(number) for number in range(REPLAYED)]
            yield self
        finally:
            await self._jobs.stop()
            await self._log.stop()

    async def phase(
        self, rate: float, seconds: float, *, replayed: bool
    ) -> tuple[list[float], float]:
        """Post for so long: how long each took, in s; messages that replays sent meanwhile, per second."""
        jobs = [await self._ask(number) for number in range(REPLAYED)] if replayed else []
        began_s, before = time.monotonic(), self._taken(again=True)
        count = await self._post(round(rate * seconds), rate)
        sent = (self._taken(again=True) - before) / (time.monotonic() - began_s)
        took_s = await self._received(count)
        for job in jobs:
            await self._write(msgspec.structs.replace(job, state="cancelled"))
        async with asyncio.timeout(DONE_S):
            while not all(self._jobs.table.standing(job).parts_ended for job in jobs):
                await asyncio.sleep(POLL_S)
        self._read = [len(queue.taken) for queue in self._queues]
        return took_s, sent

    async def _post(self, count: int, rate: float) -> int:
        began_s, appended = time.monotonic(), list[asyncio.Future[int]]()
        for number in range(count):
            early_s = began_s + number / rate - time.monotonic()
            if early_s > TICK_S:
                await asyncio.sleep(early_s)
            record = next(hop.records([next(self._bodies)], 0, 1))
            appended.append(self._log.append(EVENTS, record))
            if len(appended) == 1_000:
                await asyncio.gather(*appended)
                appended.clear()
        await asyncio.gather(*appended)
        return count

    def _new(self, number: int, *, again: bool) -> list[tuple[uuid.UUID, float]]:
        """Events that came since the last phase, by themselves or by a replay, and when."""
        queue, new = self._queues[number], slice(self._read[number], None)
        found = []
        for entry, at_s in zip(queue.taken[new], queue.taken_s[new], strict=True):
            attributes = entry["MessageAttributes"]
            if ("replay_id" in attributes) == again:
                found.append((uuid.UUID(attributes["event_id"]["StringValue"]), at_s))
        return found

    def _taken(self, *, again: bool) -> int:
        return sum(len(self._new(number, again=again)) for number in range(QUEUES))

    async def _received(self, count: int) -> list[float]:
        async with asyncio.timeout(DONE_S):
            while self._taken(again=False) < count:
                await asyncio.sleep(POLL_S)
        came = itertools.chain.from_iterable(self._new(each, again=False) for each in range(QUEUES))
        took_s = [at_s - (made_at_ms(event_id) or 0) / 1000 for event_id, at_s in came]
        self._read = [len(queue.taken) for queue in self._queues]
        return took_s

    async def _where(self, number: int) -> dict[str, list[int]]:
        """The places of all events of a queue."""
        found = defaultdict[str, list[int]](list)
        async with Log.connected(self._kafka) as log:
            for partition, (first, end) in (await log.bounds(EVENTS)).items():
                async for batch in log.read(EVENTS, partition, first, end, 1000):
                    for record in batch:
                        if decode_event(record.value).entity_id == str(number):
                            found[str(partition)].append(record.offset)
        return dict(found)

    async def _ask(self, number: int) -> Job:
        job = Job(
            id=str(uuid.uuid4()), tenant=hop.TENANT, subscription_id=self._ids[number], kind="replay",
            state="running", created_at=time.time_ns() // 1_000_000, created_by="bench",
            positions=self._positions[number], messages_per_s=self._per_s,
        )  # fmt: skip
        await self._write(job)
        return job

    async def _write(self, job: Job) -> None:
        async with AIOKafkaProducer(**self._kafka.client_args()) as producer:
            await producer.send_and_wait(DELIVERIES_JOBS, encode(job), job_key(job.tenant, job.id))
        assert await self._jobs.catch_up(DONE_S)


async def measure(
    kafka: str, sqs: StrictSqs, ids: Sequence[str], options: argparse.Namespace
) -> int:
    """Print a row for each phase; the exit status."""
    table = Table("live stream", "messages", "replayed per s", "p50 ms", "p99 ms", "max ms")
    p99_ms = defaultdict[bool, list[float]](list)
    async with Phases(kafka, sqs, ids, options.per_s or None).ready() as phases:
        await phases.phase(options.rate, WARM_S, replayed=False)
        for _, replayed in itertools.product(range(options.rounds), (False, True)):
            took_s, per_s = await phases.phase(options.rate, options.seconds, replayed=replayed)
            quantiles = [quantile_ms(took_s, share) for share in (0.5, 0.99, 1)]
            p99_ms[replayed].append(quantiles[1])
            name = "beside two replays" if replayed else "alone"
            shown = (f"{ms:,.0f}" for ms in quantiles)
            table.add_row(name, f"{len(took_s):,}", f"{per_s:,.0f}", *shown)
    ratio = statistics.median(p99_ms[True]) / statistics.median(p99_ms[False])
    Console().print(table, f"p99 beside replays: {ratio:.2f} of that alone, limit {LIMIT:g}")
    return int(ratio > LIMIT)


def main() -> None:
    """Measure and print; the exit status tells whether the limit was kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.replays", description=__doc__)
    parser.add_argument("--rate", type=positive, default=300, help="events per second")
    parser.add_argument("--per-s", type=int, default=100, help="of each replay; 0: no limit")
    parser.add_argument("--seconds", type=positive, default=20, help="length of a phase")
    parser.add_argument("--rounds", type=int, default=3, help="of two phases")
    options = parser.parse_args()
    os.environ.update(AWS_ACCESS_KEY_ID="local", AWS_SECRET_ACCESS_KEY="local")
    sqs = StrictSqs()
    for number in range(QUEUES):
        sqs.create(f"q{number}")
    with servers() as (where, ports, _), sqs.served():
        patterns = [{"entity_id": [str(number)]} for number in range(QUEUES)]
        ids = uvloop.run(hop.subscribe(where.kafka, patterns))
        uvloop.run(hop.begin_at_end(where.kafka))
        port = ports.by_name["route"]
        more = {"EVENTS_PROBES__PORT": str(port), "EVENTS_SQS__ENDPOINT_URL": sqs.url}
        with process(["-m", "processors", "route"], ports, port, "/readyz", more):
            status = uvloop.run(measure(where.kafka, sqs, ids, options))
    raise SystemExit(status)


if __name__ == "__main__":
    main()

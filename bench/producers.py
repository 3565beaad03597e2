"""The producer of our own beside confluent-kafka's: what a record costs the process that appends it.

`python -m bench.producers [--seconds S] [--rounds R] [--compression C]`.
Each caller appends a record and awaits its acknowledgement before the next, as the edge does for a
single POST: acks=all, idempotent, in turns against one broker. CPU is of the whole process,
librdkafka's threads included; figures are medians. Ours makes key and headers of each event as the edge
does, or has records ready; confluent-kafka is handed key, value and headers ready. Its
AIOProducer takes no headers, so it is `Producer`, whose delivery reports are polled by a thread, or by
a timer of the loop. At the end Kafka must hold what was acknowledged.
"""

import argparse
import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import NamedTuple, get_args

import uvloop
from rich.console import Console
from rich.table import Table

from bench import confluent
from bench.compression import read, write
from bench.fill import held
from bench.ingest import bodies
from bench.load import quantile_ms
from bench.made import new_id
from bench.servers import servers
from contracts.encoding.codec import EventJson, named, represent
from contracts.encoding.compression import Compression
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record
from contracts.encoding.wire import encode
from contracts.topics import EVENTS
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from service.memory import tune

TENANT, CALLERS, WARM_S = "bench", (32, 256), 1.0
LIMITS = QueueLimits(1 << 28, 30)


class Event(NamedTuple):
    """An event, its record, and the record's parts."""

    event: EventJson
    received_ms: int
    record: Record
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


Append = Callable[[Event], Awaitable[object]]
Open = Callable[[KafkaConnection], AbstractAsyncContextManager[Append]]


def events(texts: Iterable[bytes]) -> Iterator[Event]:
    """What the edge makes of request bodies."""
    for text in texts:
        draft = parse_event(text)
        event_id, received_ms = new_id(TENANT, draft.entity_id, None)
        event = named(draft, event_id)
        value = represent(event)
        record = encode(TENANT, event, received_ms, value)
        [parts] = read(write([record], None))
        yield Event(event, received_ms, record, parts.key, value, list(parts.headers))


@asynccontextmanager
async def ours(connection: KafkaConnection, *, ready: bool) -> AsyncIterator[Append]:
    """`EventLog`, as the edge has it."""
    log = EventLog(connection, (EVENTS,), LIMITS)
    await log.start()
    async with asyncio.timeout(LIMITS.ack_s):
        while not log.ready:
            await asyncio.sleep(0.05)

    def make(each: Event) -> Record:
        return encode(TENANT, each.event, each.received_ms, each.value)

    yield lambda each: log.append(EVENTS, each.record if ready else make(each))
    await log.stop()


@asynccontextmanager
async def theirs(
    connection: KafkaConnection, linger_ms: float, *, thread: bool
) -> AsyncIterator[Append]:
    """confluent-kafka's `Producer`."""
    async with confluent.polled(connection, linger_ms, thread=thread) as producer:
        yield lambda each: producer.append(each.key, each.value, each.headers)


PRODUCERS: dict[str, Open] = {
    "ours": partial(ours, ready=False),
    "ours, ready": partial(ours, ready=True),
    "thread, linger 0": partial(theirs, linger_ms=0, thread=True),
    "thread, linger 2": partial(theirs, linger_ms=2, thread=True),
    "timer, linger 0": partial(theirs, linger_ms=0, thread=False),
    "timer, linger 2": partial(theirs, linger_ms=2, thread=False),
}


class Measured(NamedTuple):
    """Of one run; `records` are all records that were acknowledged, those of the warm-up too."""

    us: float
    records_per_s: float
    p50_ms: float
    p99_ms: float
    records: int


async def measure(
    opened: AbstractAsyncContextManager[Append], what: Sequence[Event], callers: int, seconds: float
) -> Measured:
    """Append for `seconds`, after a second to warm up."""
    cycle = itertools.cycle(what)
    async with opened as append:
        warm = await appended(append, cycle, callers, WARM_S)
        cpu_s, began_s = time.process_time(), time.perf_counter()
        took_s = await appended(append, cycle, callers, seconds)
        cpu_s, elapsed_s = time.process_time() - cpu_s, time.perf_counter() - began_s
    count = len(took_s)
    p50_ms, p99_ms = (quantile_ms(took_s, share) for share in (0.5, 0.99))
    us, rate = cpu_s / count * 1e6, count / elapsed_s
    return Measured(us, rate, p50_ms, p99_ms, count + len(warm))


async def appended(
    append: Append, cycle: Iterator[Event], callers: int, seconds: float
) -> list[float]:
    """How long each of the records took, in seconds."""
    took_s: list[float] = []
    until_s = time.perf_counter() + seconds

    async def call() -> None:
        while (before_s := time.perf_counter()) < until_s:
            await append(next(cycle))
            took_s.append(time.perf_counter() - before_s)

    async with asyncio.timeout(seconds + LIMITS.ack_s), asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    return took_s


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.producers", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements per figure")
    parser.add_argument("--compression", "-c", choices=get_args(Compression), default="none")
    options = parser.parse_args()
    version = confluent.load().__version__
    table = Table("event", "callers", "producer", "records/s", "p50 ms", "p99 ms", "us/record")
    tune()
    with servers() as (where, _, _):
        connection = KafkaConnection(bootstrap_servers=where.kafka, compression=options.compression)
        count = 0
        for (name, texts), callers in itertools.product(bodies().items(), CALLERS):
            what = list(events(texts))
            rounds = [
                [
                    uvloop.run(measure(producer(connection), what, callers, options.seconds))
                    for producer in PRODUCERS.values()
                ]
                for _ in range(options.rounds)
            ]
            for producer, found in zip(PRODUCERS, zip(*rounds, strict=True), strict=True):
                count += sum(each.records for each in found)
                us, rate, p50, p99, _ = map(statistics.median, zip(*found, strict=True))
                cells = f"{rate:,.0f}", f"{p50:.1f}", f"{p99:.1f}", f"{us:.1f}"
                table.add_row(name, str(callers), producer, *cells)
        assert asyncio.run(held(where.kafka)) == count, "Kafka does not hold what was acknowledged"
    table.title = f"confluent-kafka {version}, compression {options.compression}"
    Console().print(table)


if __name__ == "__main__":
    main()

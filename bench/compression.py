"""What compressing record batches gains and costs, by their size.

`python -m bench.compression [--rounds R]`. The retail events (`bench.fill`) and made ones
(`bench.retail`), none twice in a batch, in batches of one of six partitions. Writing is `encode_batch`,
reading is aiokafka's with our way to decompress; the best of the rounds, of this process's CPU time.
The last column is the median time for which one batch holds the event loop.
"""

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, get_args

from aiokafka.record.memory_records import MemoryRecords
from rich.console import Console
from rich.table import Table

from bench import retail
from bench.fill import retail_events
from bench.made import new_id
from contracts.encoding.codec import DraftJson, named, represent
from contracts.encoding.compression import Codec, Compression, codec
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record, encode_batch
from contracts.encoding.wire import encode
from processors.consume.checksums import fetch_with_checksums

PARTITIONS = 6
SIZES = (1, 2, 3, 5, 7, 10, 20, 40, 80)
EVENTS = 1000


def records(drafts: Iterable[DraftJson]) -> Iterator[Record]:
    """As the edge makes them."""
    for draft in drafts:
        event_id, received_ms = new_id("bench", draft.entity_id, None)
        event = named(draft, event_id)
        yield encode("bench", event, received_ms, represent(event))


def batches(events: Sequence[Record], size: int) -> list[Sequence[Record]]:
    """All whole batches of `size` events, each of one partition."""
    found: list[Sequence[Record]] = []
    for number in range(PARTITIONS):
        partition = [each for each in events if each.key_hash % PARTITIONS == number]
        found += [
            partition[start : start + size] for start in range(0, len(partition) - size + 1, size)
        ]
    return found


def timed(calls: Iterable[Callable[[], Any]]) -> tuple[list[Any], float, float]:
    """What `calls` return, their CPU seconds in all, and the median of their seconds by the clock."""
    results, took_s, cpu_s = [], [], time.process_time()
    for call in calls:
        began_s = time.perf_counter()
        results.append(call())
        took_s.append(time.perf_counter() - began_s)
    return results, time.process_time() - cpu_s, statistics.median(took_s)


def write(batch: Sequence[Record], with_codec: Codec | None) -> bytes:
    """The batch as Kafka takes it."""
    return b"".join(encode_batch(batch, 1, 0, 0, with_codec))


def read(data: bytes) -> list[Any]:
    """The records of a batch, as a consumer has them."""
    return list(MemoryRecords(data).next_batch() or ())


def row(chosen: list[Sequence[Record]], compression: Compression, rounds: int) -> list[str]:
    """Bytes of a batch before, per event after, and what they cost."""
    with_codec, writing, reading = codec(compression, 0), [], []
    for _ in range(rounds):
        encoded, *spent = timed(partial(write, batch, with_codec) for batch in chosen)
        writing.append(spent)
        _, read_s, _ = timed(partial(read, data) for data in encoded)
        reading.append(read_s)
    count = sum(map(len, chosen))
    plain = sum(len(write(batch, None)) for batch in chosen)
    written = sum(map(len, encoded))
    write_s, held_s = (min(column) for column in zip(*writing, strict=True))
    return [
        *(f"{plain / len(chosen):,.0f}", compression, f"{written / count:,.0f}"),
        *(f"{plain / written:.2f}", f"{write_s / count * 1e6:.2f}"),
        *(f"{min(reading) / count * 1e6:.2f}", f"{held_s * 1e6:,.0f}"),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.compression", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements; the best counts")
    rounds = parser.parse_args().rounds
    fetch_with_checksums()
    table = Table(
        *("events", "in a batch", "batch B", "compression", "B/event", "smaller by"),
        *("write us/event", "read us/event", "batch us"),
    )
    made = map(parse_event, retail.events(None))
    kinds = {"retail": list(records(retail_events(EVENTS))), "made": list(records(made))}
    for (name, events), size in itertools.product(kinds.items(), SIZES):
        if chosen := batches(events, size):
            for compression in get_args(Compression):
                table.add_row(name, str(size), *row(chosen, compression, rounds))
    Console().print(table)


if __name__ == "__main__":
    main()

"""The edge at full load for minutes, then far past its limits: memory, answers, what Kafka holds.

`python -m bench.soak [--seconds S] [--compression C]`. Full load: 256 connections of single events and
four of batches of 500, limits of tenants off; resident memory every second, CPU, and bytes per event
that Kafka received and that its log grew. Overload: an edge with little room and a low rate for its
tenant, offered many times what it takes; every answer must be 201, 429 or 503 and the log must hold
exactly what was acknowledged.
"""

import argparse
import asyncio
import itertools
import statistics
import threading
import time
from typing import get_args

import psutil
import uvloop
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench import load
from bench.broker import look
from bench.fill import held
from bench.ingest import BATCH_EVENTS, bodies
from bench.servers import NO_LIMITS, cpu_s, process, servers
from contracts.encoding.compression import Compression
from service.connections import KafkaConnection

MIB = 1024 * 1024
LITTLE_ROOM = {
    "EVENTS_IN_FLIGHT_BYTES_MAX": "20000",
    "EVENTS_TENANT_RATE__EVENTS_PER_S": "500",
}


def full_load(
    edge: psutil.Process, port: int, headers: dict[str, str], seconds: int
) -> tuple[list[int], list[load.Result]]:
    """Resident bytes every second, answers to single events, answers to batches."""
    texts = bodies().get("retail", bodies()["800 B"])
    singles = [load.request("POST", "/api/v1/events", headers, text) for text in texts]
    batch = b"\n".join(itertools.islice(itertools.cycle(texts), BATCH_EVENTS))
    ndjson = headers | {"Content-Type": "application/x-ndjson"}
    batches = [load.request("POST", "/api/v1/events:batch", ndjson, batch)]
    results: list[load.Result] = []

    async def both() -> None:
        results.extend(
            await asyncio.gather(
                load.run(port, singles, 256, seconds), load.run(port, batches, 4, seconds)
            )
        )

    loading = threading.Thread(target=lambda: uvloop.run(both()))
    loading.start()
    resident = []
    for _ in track(range(seconds), description="full load", transient=True):
        time.sleep(1)
        resident.append(edge.memory_info().rss)
    loading.join()
    return resident, results


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="length of the full load")
    parser.add_argument(
        *("--compression", "-c"),
        choices=get_args(Compression),
        default=KafkaConnection().compression,
        help="of record batches",
    )
    arguments = parser.parse_args()
    seconds, compression = arguments.seconds, arguments.compression
    settings = {**NO_LIMITS, "EVENTS_KAFKA__COMPRESSION": compression}
    with servers() as (where, ports, running):
        headers, port = where.headers("bench"), ports.base + 7
        with process(["-m", "ingest"], ports, port, "/readyz", settings) as edge:
            before, edge_s = look(running["kafka"], where.home), cpu_s(edge)
            resident, (singles, batches) = full_load(edge, port, headers, seconds)
            events = singles.total + BATCH_EVENTS * batches.total
            edge_us = (cpu_s(edge) - edge_s) / events * 1e6
            broker = look(running["kafka"], where.home).since(before, events)
        memory = Table("full load", "events", "events/s", "statuses", "MiB: each tenth, median")
        costs = Table("compression", "edge us/event", "Kafka us/event", "wire B", "log B")
        costs.add_row(
            *(compression, f"{edge_us:.1f}", f"{broker.us:.1f}"),
            *(f"{broker.wire_bytes:,.0f}", f"{broker.log_bytes:,.0f}"),
        )
        tenth = max(1, len(resident) // 10)
        medians = [
            statistics.median(resident[start : start + tenth])
            for start in range(0, len(resident), tenth)
        ]
        memory.add_row(
            f"{seconds} s",
            f"{events:,}",
            f"{events / singles.seconds:,.0f}",
            f"{singles.statuses} {batches.statuses}",
            " ".join(f"{value / MIB:.0f}" for value in medians),
        )
        held_before = asyncio.run(held(where.kafka))
        request = [load.request("POST", "/api/v1/events", headers, bodies()["800 B"][0])]
        with process(["-m", "ingest"], ports, port, "/readyz", LITTLE_ROOM) as edge:
            result = uvloop.run(load.run(port, request, 256, 10))
        stored = asyncio.run(held(where.kafka)) - held_before
    overload = Table("overload", "answers", "acknowledged", "stored", "p99 ms")
    overload.add_row(
        "256 connections, 10 s",
        str(dict(sorted(result.statuses.items()))),
        str(result.statuses.get(201, 0)),
        str(stored),
        f"{result.quantile_ms(0.99):.0f}",
    )
    Console().print(memory, costs, overload)
    if not set(result.statuses) <= {201, 429, 503} or stored != result.statuses.get(201, 0):
        raise SystemExit("an answer was none of 201, 429, 503, or Kafka holds another number")


if __name__ == "__main__":
    main()

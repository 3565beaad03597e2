"""Single POST with durable ack beside a null app: CPU per request of the edge.

`python -m bench.ingest [--seconds S] [--rounds R] [--compression C ...] [--bytes-min B]`. Rounds
alternate between an edge for each compression of record batches, the null app on uvicorn as it comes,
and the null app with the edge's way of writing an answer (see `bench.null_app`); the figures are
medians, ratios are of medians of the same connections and body. Then batches of 500 events as NDJSON
over four connections, plain and gzip: CPU per event of the edge. Beside them what an event costs Kafka:
CPU, bytes that it received, bytes that its log grew.
"""

import argparse
import base64
import contextlib
import gzip
import itertools
import json
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, get_args

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.broker import Look, PerEvent, look
from bench.servers import DATA, NO_LIMITS, cpu_s, process, servers
from contracts.encoding.compression import Compression
from service.connections import KafkaConnection


def bodies() -> dict[str, list[bytes]]:
    """What is posted: the retail events if they are there, and one event of 800 bytes."""
    text = base64.b64encode(json.dumps({"id": 1, "note": "x" * 300}).encode()).decode()
    event = {
        "entity_id": "1000144",
        "event_payload": {
            "base64_encoded_payload_json": text,
            "key_attributes": {"correlationId": "637d6efa-609e-467a-da67-9f818a119b9e"},
            "operation": "UPDATE",
        },
        "event_source": "ORDER",
        "event_type": "ENTITY_EVENT",
    }
    event["entity_name"] = "n" * (800 - len(json.dumps(event)) - 18)
    found = {"800 B": [json.dumps(event).encode()]}
    if DATA.exists():
        found["retail"] = DATA.read_bytes().splitlines()
    return found


class Measured(NamedTuple):
    """CPU microseconds per event of what was watched, what an event cost Kafka, what the load saw."""

    us: float
    broker: PerEvent
    load: load.Result


class Watched(NamedTuple):
    """A server under load, beside the broker."""

    process: psutil.Process
    port: int
    broker: Callable[[], Look]

    def measure(
        self, requests: list[bytes], connections: int, seconds: float, events: int = 1
    ) -> Measured:
        """Load it with `requests` of `events` each. Raises `RuntimeError` at an answer but 201."""
        before, broker = cpu_s(self.process), self.broker()
        result = uvloop.run(load.run(self.port, requests, connections, seconds))
        used, count = cpu_s(self.process) - before, result.total * events
        if set(result.statuses) != {201}:
            raise RuntimeError(f"not every answer was 201: {result.statuses}")
        return Measured(used / count * 1e6, self.broker().since(broker, count), result)


def medians(found: Iterable[Measured], events: int = 1) -> tuple[list[str], float]:
    """Events/s, p99, CPU and bytes as cells of a table; and the CPU."""
    found = list(found)
    rate = statistics.median(each.load.total * events / each.load.seconds for each in found)
    p99_ms = statistics.median(each.load.quantile_ms(0.99) for each in found)
    us = statistics.median(each.us for each in found)
    kafka_us, wire, log = map(statistics.median, zip(*(each.broker for each in found), strict=True))
    cells = [f"{rate:,.0f}", f"{p99_ms:.1f}", f"{us:.1f}"]
    return [*cells, f"{kafka_us:.1f}", f"{wire:,.0f}", f"{log:,.0f}"], us


FIGURES = ("events/s", "p99 ms", "edge us", "Kafka us", "wire B", "log B")
BATCH_EVENTS = 500
BATCH_CONNECTIONS = 4
KAFKA = KafkaConnection()  # as it is by default


def singles(
    edges: Mapping[Compression, Watched],
    nulls: Mapping[str, Watched],
    headers: dict[str, str],
    arguments: argparse.Namespace,
) -> Table:
    """One event in each request."""
    table = Table("event", "conns", "compression", *FIGURES)
    for name in nulls:
        table.add_column(name)
        table.add_column("ratio")
    watched = [*edges.values(), *nulls.values()]
    for (name, texts), connections in itertools.product(bodies().items(), (32, 256)):
        requests = [load.request("POST", "/api/v1/events", headers, text) for text in texts]
        for edge in edges.values():
            edge.measure(requests, connections, 1)  # warm
        rounds = [
            [each.measure(requests, connections, arguments.seconds) for each in watched]
            for _ in range(arguments.rounds)
        ]
        columns = list(zip(*rounds, strict=True))
        nulls_us = [statistics.median(each.us for each in found) for found in columns[len(edges) :]]
        for compression, found in zip(edges, columns, strict=False):
            cells, edge_us = medians(found)
            for null_us in nulls_us:
                cells += [f"{null_us:.1f}", f"{edge_us / null_us:.2f}"]
            table.add_row(name, str(connections), compression, *cells)
    return table


def batches(
    edges: Mapping[Compression, Watched], headers: dict[str, str], arguments: argparse.Namespace
) -> Table:
    """Batches of every kind of event, plain and compressed."""
    table = Table("batch of 500", "encoding", "compression", *FIGURES)
    headers = headers | {"Content-Type": "application/x-ndjson"}
    for name, texts in bodies().items():
        batch = b"\n".join(itertools.islice(itertools.cycle(texts), BATCH_EVENTS))
        for encoding, body in (("identity", batch), ("gzip", gzip.compress(batch, 6))):
            encoded = headers | {"Content-Encoding": encoding}
            load_of = (
                [load.request("POST", "/api/v1/events:batch", encoded, body)],
                BATCH_CONNECTIONS,
            )
            for edge in edges.values():
                edge.measure(*load_of, 1, BATCH_EVENTS)  # warm
            rounds = [
                [edge.measure(*load_of, arguments.seconds, BATCH_EVENTS) for edge in edges.values()]
                for _ in range(arguments.rounds)
            ]
            for compression, found in zip(edges, zip(*rounds, strict=True), strict=True):
                table.add_row(name, encoding, compression, *medians(found, BATCH_EVENTS)[0])
    return table


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements per figure")
    parser.add_argument(
        *("--compression", "-c"),
        nargs="+",
        choices=get_args(Compression),
        default=[KAFKA.compression],
        help="of record batches; each has an edge of its own, measured in turns",
    )
    parser.add_argument(
        "--bytes-min", type=int, default=KAFKA.compression_bytes_min, help="smaller ones are not"
    )
    arguments = parser.parse_args()
    with contextlib.ExitStack() as up:
        where, ports, running = up.enter_context(servers())

        def watch(argv: list[str], offset: int, ready: str, more: Mapping[str, str]) -> Watched:
            port = ports.base + offset
            started = up.enter_context(process(argv, ports, port, ready, more))
            return Watched(started, port, lambda: look(running["kafka"], where.home))

        edges = {}
        for offset, name in zip((0, 2, 7), arguments.compression, strict=False):
            settings = {
                **NO_LIMITS,
                "EVENTS_KAFKA__COMPRESSION": name,
                "EVENTS_KAFKA__COMPRESSION_BYTES_MIN": str(arguments.bytes_min),
            }
            edges[name] = watch(["-m", "ingest"], offset, "/readyz", settings)
        nulls = {}
        for offset, name, how in ((8, "null us", []), (9, "1 write us", ["whole"])):
            argv = ["-m", "bench.null_app", str(ports.base + offset), *how]
            nulls[name] = watch(argv, offset, "/", {})
        headers = where.headers("bench")
        tables = singles(edges, nulls, headers, arguments), batches(edges, headers, arguments)
    Console().print(*tables)


if __name__ == "__main__":
    main()

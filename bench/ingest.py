"""Single POST with durable ack beside a null app: CPU per request of the edge.

`python -m bench.ingest [--seconds S] [--rounds R]`. Rounds alternate between the edge, the null app on
uvicorn as it comes, and the null app with the edge's way of writing an answer (see `bench.null_app`);
the figures are medians, ratios are of medians of the same connections and body. Then batches of 500
events as NDJSON over four connections, plain and gzip: CPU per event of the edge.
"""

import argparse
import base64
import gzip
import itertools
import json
import statistics

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from bench import load
from bench.servers import DATA, cpu_s, process, servers


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


def measure(
    watched: psutil.Process, port: int, requests: list[bytes], connections: int, seconds: float
) -> tuple[float, load.Result]:
    """CPU microseconds per request of `watched`, and what the load saw."""
    before = cpu_s(watched)
    result = uvloop.run(load.run(port, requests, connections, seconds))
    used = cpu_s(watched) - before
    if set(result.statuses) != {201}:
        raise RuntimeError(f"not every answer was 201: {result.statuses}")
    return used / result.total * 1e6, result


BATCH_EVENTS = 500
BATCH_CONNECTIONS = 4


def batches(
    edge: psutil.Process, port: int, headers: dict[str, str], seconds: float, rounds: int
) -> Table:
    """Batches of every kind of event, plain and compressed."""
    table = Table("batch of 500", "encoding", "events/s", "p99 ms", "edge us/event")
    headers = headers | {"Content-Type": "application/x-ndjson"}
    for name, texts in bodies().items():
        batch = b"\n".join(itertools.islice(itertools.cycle(texts), BATCH_EVENTS))
        for encoding, body in (("identity", batch), ("gzip", gzip.compress(batch, 6))):
            encoded = headers | {"Content-Encoding": encoding}
            requests = [load.request("POST", "/api/v1/events:batch", encoded, body)]
            measure(edge, port, requests, BATCH_CONNECTIONS, 1)  # warm
            found = [
                measure(edge, port, requests, BATCH_CONNECTIONS, seconds) for _ in range(rounds)
            ]
            rate = statistics.median(result.total / result.seconds for _, result in found)
            p99_ms = statistics.median(result.quantile_ms(0.99) for _, result in found)
            cost_us = statistics.median(cost for cost, _ in found) / BATCH_EVENTS
            table.add_row(
                name, encoding, f"{rate * BATCH_EVENTS:,.0f}", f"{p99_ms:.0f}", f"{cost_us:.1f}"
            )
    return table


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=3, help="measurements per figure")
    arguments = parser.parse_args()
    console = Console()
    table = Table(*"event,conns,req/s,p99 ms,edge us".split(","))
    for limit in ("null us", "1 write us"):
        table.add_column(limit)
        table.add_column("ratio")
    with servers() as (where, ports, _):
        edge_port, null_port, whole_port = (ports.base + n for n in (7, 8, 9))
        headers = where.headers("bench")
        null_app = ["-m", "bench.null_app"]
        with (
            process(["-m", "ingest"], ports, edge_port, "/readyz") as edge,
            process([*null_app, str(null_port)], ports, null_port, "/") as null,
            process([*null_app, str(whole_port), "whole"], ports, whole_port, "/") as whole,
        ):
            watched = ((edge, edge_port), (null, null_port), (whole, whole_port))
            for name, texts in bodies().items():
                requests = [load.request("POST", "/api/v1/events", headers, b) for b in texts]
                for connections in (32, 256):
                    measure(edge, edge_port, requests, connections, 1)  # warm
                    rounds = [
                        [
                            measure(each, port, requests, connections, arguments.seconds)
                            for each, port in watched
                        ]
                        for _ in range(arguments.rounds)
                    ]
                    edge_us, *nulls_us = (
                        statistics.median(cost for cost, _ in found)
                        for found in zip(*rounds, strict=True)
                    )
                    loads = [found[0][1] for found in rounds]
                    rate = statistics.median(result.total / result.seconds for result in loads)
                    p99_ms = statistics.median(result.quantile_ms(0.99) for result in loads)
                    cells = [f"{rate:,.0f}", f"{p99_ms:.1f}", f"{edge_us:.1f}"]
                    for null_us in nulls_us:
                        cells += [f"{null_us:.1f}", f"{edge_us / null_us:.2f}"]
                    table.add_row(name, str(connections), *cells)
            batch_table = batches(edge, edge_port, headers, arguments.seconds, arguments.rounds)
    console.print(table, batch_table)


if __name__ == "__main__":
    main()

"""Kafka to ClickHouse: CPU per event of client and server beside two limits.

`python -m bench.view [--events N] [--rounds N] [--compression C] [--at-once N] [--keyed N]`.
Each round starts new
servers and fills the log, as many events at once as are to share the partitions' batches, then the
materializer starts and is measured until the last row is there. The limits: the same rows
inserted into chDB in one process from ClickHouse's own binary format, batches of the same size, the
better of two runs; and the same records read by a plain aiokafka consumer that does nothing with them.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from typing import get_args

import chdb
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.broker import look, received_bytes
from bench.fill import AT_ONCE, fill, just_made
from bench.servers import cpu_s, servers, sql
from cli.endpoints import Endpoints
from contracts.clickhouse.schema import migrations, statements
from contracts.clickhouse.table import INSERT_SETTINGS
from contracts.encoding.block import INSERT_COLUMNS
from contracts.encoding.compression import Compression
from contracts.topics import EVENTS, RECORD_BYTES_MAX
from local.stack import Ports, environment
from processors.consume.run import FETCH_BYTES_MAX
from service.connections import KafkaConnection

TENANT = "bench"
BATCH_ROWS = 30_000
CONSUME_TIMEOUT_S = 300
COLUMNS = ", ".join((*INSERT_COLUMNS, "precedence"))


def materialize(
    where: Endpoints,
    ports: Ports,
    server: psutil.Process,
    count: int,
    processor: str = "materialize",
    table: str = "events",
) -> list[float]:
    """Events/s; per event CPU microseconds of materializer and server, and bytes that came to it."""
    argv = [sys.executable, "-m", "processors", processor]
    with subprocess.Popen(argv, env=environment(ports), stderr=subprocess.DEVNULL) as child:
        client, rows, began_s, used = psutil.Process(child.pid), 0, 0.0, (0.0, 0.0, 0)
        while rows < count:
            before = (cpu_s(client), cpu_s(server), received_bytes(client))
            rows = int(sql(where, f"SELECT count() FROM events.{table}"))  # noqa: S608
            if not began_s and rows:
                began_s, first_rows, used = time.perf_counter(), rows, before
            time.sleep(0.25)  # each look costs the server some milliseconds
        seconds = time.perf_counter() - began_s
        measured = count - first_rows
        costs = [cpu_s(client) - used[0], cpu_s(server) - used[1]]
        received = received_bytes(client) - used[2]
        child.terminate()
    if not measured:
        raise ValueError(f"{count:,} events are too few: all rows were there at the first look")
    return [measured / seconds, *(cost / measured * 1e6 for cost in costs), received / measured]


async def raw_consume(where: Endpoints, count: int) -> float:
    """CPU microseconds per record of reading the log in this process, as aiokafka does by itself."""
    consumer = AIOKafkaConsumer(
        EVENTS,
        bootstrap_servers=where.kafka,
        auto_offset_reset="earliest",
        fetch_max_bytes=FETCH_BYTES_MAX,
        max_partition_fetch_bytes=4 * RECORD_BYTES_MAX,
    )
    await consumer.start()
    try:
        before_s, there = time.process_time(), 0
        async with asyncio.timeout(CONSUME_TIMEOUT_S):
            while there < count:
                found = await consumer.getmany(timeout_ms=1000, max_records=BATCH_ROWS)
                there += sum(map(len, found.values()))
        return (time.process_time() - before_s) / count * 1e6
    finally:
        await consumer.stop()


def raw_insert(where: Endpoints, count: int) -> float:
    """CPU microseconds per row of inserting the same rows into chDB in this process."""
    batches = [
        sql(
            where,
            f"SELECT {COLUMNS} FROM events.events ORDER BY kafka_partition, kafka_offset"  # noqa: S608
            f" LIMIT {BATCH_ROWS} OFFSET {start} FORMAT Native",
        )
        for start in range(0, count, BATCH_ROWS)
    ]
    settings = ", ".join(f"{name} = '{value}'" for name, value in INSERT_SETTINGS.items())
    this, figures = psutil.Process(), []
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        connection = chdb.connect(folder)
        connection.query("CREATE DATABASE events")
        for migration in migrations():
            for statement in statements(migration.text, "events"):
                connection.query(statement)
        for _ in range(2):
            before = cpu_s(this)
            for batch in batches:
                inserter = connection.send_insert(
                    f"INSERT INTO events.events ({COLUMNS}) SETTINGS {settings}", "Native"
                )
                inserter.append(batch)  # type: ignore[no-untyped-call]
                inserter.finish()
            figures.append((cpu_s(this) - before) / count * 1e6)
        connection.close()
    return min(figures)


def measure(count: int, keyed: int, compression: Compression, at_once: int) -> list[float]:
    """One round: events/s; CPU us per event of client, server, limits; bytes; ratios to insert and both."""
    with servers() as (where, ports, running):
        server = running["clickhouse"]
        events = just_made(TENANT, count, keyed)
        uvloop.run(fill(where.kafka, TENANT, events, compression, at_once))
        log_bytes = look(running["kafka"], where.home).log_bytes / count
        rate, client_us, server_us, wire_bytes = materialize(where, ports, server, count)
        consume_us = uvloop.run(raw_consume(where, count))
        insert_us = raw_insert(where, count)
    whole_us = client_us + server_us
    limit_us = insert_us + consume_us
    return [
        *(rate, client_us, server_us, insert_us, consume_us, wire_bytes, log_bytes),
        *(whole_us / insert_us, whole_us / limit_us),
    ]


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.view", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="events in the log")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; the median counts")
    parser.add_argument(
        *("--compression", "-c"),
        choices=get_args(Compression),
        default=KafkaConnection().compression,
        help="of record batches",
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="events cut into batches")
    parser.add_argument("--keyed", type=int, default=0, help="of 100 events under Idempotency-Keys")
    arguments = parser.parse_args()
    rounds = [
        measure(arguments.events, arguments.keyed, arguments.compression, arguments.at_once)
        for _ in track(range(arguments.rounds), "measuring", console=Console(stderr=True))
    ]
    table = Table(
        *("round", "events/s", "client", "server", "insert", "consume"),
        *("wire B", "log B", "to insert", "to both"),
        title=f"Kafka -> ClickHouse, {arguments.events:,} events, {arguments.keyed} % under keys,"
        f" {arguments.compression}, {arguments.at_once:,} at once, CPU in us per event",
    )
    medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
    for name, figures in [*enumerate(rounds, 1), ("median", medians)]:
        rate, *costs, wire_bytes, log_bytes, to_insert, to_both = figures
        table.add_row(
            *(str(name), f"{rate:,.0f}", *(f"{us:.1f}" for us in costs)),
            *(f"{wire_bytes:,.0f}", f"{log_bytes:,.0f}", f"{to_insert:.2f}", f"{to_both:.2f}"),
        )
    Console().print(table)


if __name__ == "__main__":
    main()

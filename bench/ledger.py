"""The ledger: CPU per record of client and server, and what its questions cost.

`python -m bench.ledger [--records N ...]`. Each number has new servers: the log is filled, the ledger
starts and is measured until the last row is there; then each question is asked ten times, the median
shown. Of a hundred deliveries two fail once before, one of a thousand is dead; fifty subscriptions.
"""

import argparse
import asyncio
import random
import statistics
import time
import uuid
from collections.abc import Iterator
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from bench.made import new_id
from bench.servers import cpu_s, servers, sql
from bench.view import materialize
from cli.endpoints import Endpoints
from contracts.attempts import Attempt, encode_attempt
from contracts.clickhouse import ledger
from contracts.clickhouse.search import Position
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.ledger import DeliveryCriteria
from contracts.topics import DELIVERIES
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits

TENANT, SUBSCRIPTIONS, AT_ONCE, ASKED = "bench", 50, 5000, 10
ARN = "arn:aws:sqs:eu-west-1:000000000000:queue-{}"
BYTES = """
SELECT sum(bytes_on_disk) / sum(rows) FROM system.parts
WHERE database = 'events' AND table = 'deliveries' AND active
"""


def attempts(count: int, subscriptions: list[str], chance: random.Random) -> Iterator[Attempt]:
    """`count` records of a running system."""
    made = 0
    while made < count:
        number = chance.randrange(SUBSCRIPTIONS)
        event_id, received_ms = new_id(TENANT, str(made), None)
        known: dict[str, Any] = {
            "tenant": TENANT,
            "subscription_id": subscriptions[number],
            "destination": ARN.format(number),
            "event_id": event_id,
            "partition": made % 6,
            "offset": made // 6,
            "latency_ms": chance.randrange(5, 60),
        }
        fate = chance.random()
        if fate < 0.02:
            yield Attempt(
                **known, at=received_ms + 40, state="failed", attempt=1,
                code="RequestThrottled", message="The request was throttled.",
            )  # fmt: skip
            made += 1
        if fate < 0.001:
            yield Attempt(
                **known, at=received_ms + 90, state="dead", attempt=2, code="AccessDenied",
                message=f"Access to the resource {ARN.format(number)} is denied.",
            )  # fmt: skip
        else:
            yield Attempt(
                **known, at=received_ms + 90, state="delivered", attempt=1 + (fate < 0.02),
                message_id=str(uuid.UUID(int=chance.getrandbits(128))),
            )  # fmt: skip
        made += 1


async def fill(kafka: str, records: Iterator[Attempt]) -> None:
    """Append the records, as the router does."""
    log = EventLog(
        KafkaConnection(bootstrap_servers=kafka), (DELIVERIES,), QueueLimits(1 << 28, 30)
    )
    await log.start()
    while not log.ready:
        await asyncio.sleep(0.05)
    none = encode_headers([])
    for number, each in enumerate(records, 1):
        key = f"{TENANT}:{number % 3000}".encode()
        appended = log.append(DELIVERIES, new_record(key, encode_attempt(each), none, each.at))
        if number % AT_ONCE == 0:
            await appended
    await log.stop()


async def questions(where: Endpoints, subscription: str) -> dict[str, float]:
    """Milliseconds of each question, the median."""
    clickhouse = ClickHouse(ClickHouseConnection(url=where.clickhouse))
    sample = "SELECT toString(any(event_id)) FROM events.deliveries WHERE state = 'dead'"
    event_id = (await clickhouse.select(sample)).decode().strip()
    now = Position(time.time_ns() // 1_000_000)
    page = ("events", TENANT, subscription)
    asked = {
        "event": ledger.select_attempts("events", TENANT, event_id),
        "newest": ledger.select_deliveries(*page, DeliveryCriteria(), 0, now, 500),
        "dead": ledger.select_deliveries(*page, DeliveryCriteria(state="dead"), 0, now, 500),
        "health": ledger.select_health(*page),
        "undelivered": ("SELECT count() FROM events.undelivered", {}),
        "all health": ("SELECT * FROM events.destination_health FORMAT Null", {}),
    }
    found = {}
    try:
        for name, query in asked.items():
            times = []
            for _ in range(ASKED):
                began_s = time.perf_counter()
                await clickhouse.select(*query)
                times.append(time.perf_counter() - began_s)
            found[name] = statistics.median(times) * 1000
    finally:
        await clickhouse.close()
    return found


def measure(count: int) -> tuple[list[float], dict[str, float]]:
    """Records/s, CPU us per record of client and server, bytes per row; ms of each question."""
    chance = random.Random(count)
    subscriptions = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(SUBSCRIPTIONS)]
    with servers() as (where, ports, running):
        uvloop.run(fill(where.kafka, attempts(count, subscriptions, chance)))
        held = int(asyncio.run(_held(where.kafka)))
        server = running["clickhouse"]
        rate, client_us, server_us, _ = materialize(
            where, ports, server, held, "ledger", "deliveries"
        )
        bytes_per_row = float(sql(where, BYTES))
        before = cpu_s(server)
        asked = uvloop.run(questions(where, subscriptions[0]))
        Console(stderr=True).print(f"questions: {cpu_s(server) - before:.1f} s of CPU")
    return [held, rate, client_us, server_us, bytes_per_row], asked


async def _held(kafka: str) -> int:
    from aiokafka import AIOKafkaConsumer

    async with AIOKafkaConsumer(DELIVERIES, bootstrap_servers=kafka) as consumer:
        return sum((await consumer.end_offsets(consumer.assignment())).values())


def main() -> None:
    """Measure and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, nargs="+", default=[200_000, 2_000_000])
    costs = Table("records", "records/s", "ledger us", "ClickHouse us", "bytes/row")
    asked = Table("ms, median of ten")
    answers: dict[str, list[str]] = {}
    for count in parser.parse_args().records:
        (held, rate, client_us, server_us, size), found = measure(count)
        costs.add_row(
            f"{held:,.0f}", f"{rate:,.0f}", f"{client_us:.1f}", f"{server_us:.1f}", f"{size:.0f}"
        )
        asked.add_column(f"{held:,.0f} rows")
        for name, ms in found.items():
            answers.setdefault(name, []).append(f"{ms:.0f}")
    for name, row in answers.items():
        asked.add_row(name, *row)
    Console().print(costs, asked)


if __name__ == "__main__":
    main()

"""`events audit --deliveries`: events per second, CPU of audit and server, and what its memory grew by.

`python -m bench.audited [--events N ...] [--subscriptions N]`. Each number has new servers: the log is
filled, each subscription accepts everything, and the ledger says of each delivery that the queue has
it, but for the last one, which must be named.
"""

import argparse
import asyncio
import time
import uuid
from collections.abc import Sequence

import psutil
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console
from rich.table import Table

from bench.fill import fill, just_made
from bench.servers import cpu_s, servers, sql
from cli.endpoints import Endpoints
from contracts.attempts import Attempt
from contracts.clickhouse.deliveries import DELIVERIES_TABLE, AttemptBlock, AttemptRow
from contracts.destinations import SqsDestination
from contracts.encoding.recordbatch import encode_headers, new_record
from contracts.encoding.wire import decode_event
from contracts.subscriptions import SubscriptionDraft, create, subscription_key
from contracts.topics import EVENTS, ROUTE_GROUP, SUBSCRIPTIONS
from processors.consume.replay import Log
from processors.upkeep.database import Database
from processors.upkeep.deliveries.account import Account
from processors.upkeep.deliveries.audit import DeliveriesAudit
from processors.upkeep.deliveries.period import When, period
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits

TENANT, AT_ONCE = "bench", 10_000
ARN = "arn:aws:sqs:eu-west-1:000000000000:queue-{}"
COPY = """
INSERT INTO events.deliveries SELECT * REPLACE (toUUID('{id}') AS subscription_id,
    kafka_offset + {more} AS kafka_offset) FROM events.deliveries
WHERE deliveries.subscription_id = '{first}'
"""


async def subscribe(kafka: KafkaConnection, ids: Sequence[str]) -> None:
    """Subscriptions to everything, since an hour ago."""
    log = EventLog(kafka, (SUBSCRIPTIONS,), QueueLimits(1 << 20, 30))
    await log.start()
    while not log.ready:
        await asyncio.sleep(0.05)
    for number, each in enumerate(ids):
        to = SqsDestination(type="sqs", arn=ARN.format(number))
        made = create(SubscriptionDraft(name="all", filter={}, destination=to), each)
        at_ms = time.time_ns() // 1_000_000 - 3_600_000
        key, none = subscription_key(TENANT, each), encode_headers([])
        await log.append(SUBSCRIPTIONS, new_record(key, made.represent(), none, at_ms))
    await log.stop()


async def deliver(log: Log, database: Database, where: Endpoints, ids: Sequence[str]) -> None:
    """Have the ledger say that everything was delivered, but for the last delivery."""
    table, made = database.rows(0, DELIVERIES_TABLE, "bench "), 0
    for partition, (first, end) in (await log.bounds(EVENTS)).items():
        async for batch in log.read(EVENTS, partition, first, end, AT_ONCE):
            rows = [
                AttemptRow(
                    partition,
                    record.offset,
                    Attempt(
                        at=record.timestamp + 90, tenant=TENANT, subscription_id=ids[0],
                        destination=ARN.format(0), state="delivered", partition=partition,
                        event_id=decode_event(record.value).id, offset=record.offset,
                        attempt=1, latency_ms=17, message_id=str(uuid.uuid4()),
                    ),
                )
                for record in batch
            ]  # fmt: skip
            for day in {row.day for row in rows}:
                await table.insert(AttemptBlock([row for row in rows if row.day == day]))
            made += len(rows)
    for number, each in enumerate(ids[1:], 1):
        sql(where, COPY.format(id=each, first=ids[0], more=number * made))
    gone = f"subscription_id = '{ids[-1]}' AND event_partition = 0 AND event_offset = 0"
    sql(where, f"ALTER TABLE events.deliveries DELETE WHERE {gone} SETTINGS mutations_sync = 2")


async def commit(kafka: KafkaConnection, log: Log) -> None:
    """Have the router done."""
    ends = {
        TopicPartition(EVENTS, number): end
        for number, (_, end) in (await log.bounds(EVENTS)).items()
    }
    consumer = AIOKafkaConsumer(group_id=ROUTE_GROUP, **kafka.consumer_args())
    await consumer.start()
    consumer.assign([*ends])
    await consumer.commit(ends)
    await consumer.stop()


async def measure(where: Endpoints, server: psutil.Process, count: int, of: int) -> list[float]:
    """Events/s, us of CPU per event of audit and server, and the MiB that the audit added."""
    kafka = KafkaConnection(bootstrap_servers=where.kafka)
    connection = ClickHouseConnection(url=where.clickhouse, timeout_s=120)
    clickhouse, ids = ClickHouse(connection), [str(uuid.uuid4()) for _ in range(of)]
    database, own = Database(clickhouse, connection), psutil.Process()
    await subscribe(kafka, ids)
    await fill(where.kafka, TENANT, just_made(TENANT, count))
    async with Log.connected(kafka) as log:
        await deliver(log, database, where, ids)
        await commit(kafka, log)
        most, resting = 0, own.memory_info().rss

        def look(doing: str, done: int, total: int) -> None:
            nonlocal most
            most = max(most, own.memory_info().rss)

        before, began_s = (cpu_s(own), cpu_s(server)), time.monotonic()
        audit = DeliveriesAudit(log, database.deliveries(), database.rows(0))
        account = await audit(period(When()), look)
        took_s = time.monotonic() - began_s
    check(account, count * of)
    used = [(cpu_s(own) - before[0]) / count * 1e6, (cpu_s(server) - before[1]) / count * 1e6]
    await clickhouse.close()
    return [count / took_s, *used, (most - resting) / 2**20]


def check(account: Account, owed: int) -> None:
    """One that measures nothing is no measurement."""
    counts = account.counts
    if (counts["delivered"], counts["missing"], account.judged) != (owed - 1, 1, owed):
        raise SystemExit(f"not what was made: {counts}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, nargs="+", default=[200_000, 2_000_000])
    parser.add_argument("--subscriptions", type=int, default=10)
    asked = parser.parse_args()
    table = Table("events", "deliveries", "events/s", "audit us/event", "server us/event", "MiB")
    for count in asked.events:
        with servers() as (where, _, processes):
            server = processes["clickhouse"]
            told = uvloop.run(measure(where, server, count, asked.subscriptions))
        shown = [f"{each:,.0f}" if each >= 100 else f"{each:.1f}" for each in told]
        table.add_row(f"{count:,}", f"{count * asked.subscriptions:,}", *shown)
    Console().print(table)


if __name__ == "__main__":
    main()

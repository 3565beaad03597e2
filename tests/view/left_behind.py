"""What the release before this one left behind: its table, its log and its commits, as they were copied.

`first_release/`: events, some under keys, some erased. Among them (names.json has the ids): a key sent
twice, a key of two entities, which was one id then, and an event that was erased and posted again.
"""

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from contracts.clickhouse.schema import PREPARE, migrations, record, statements
from contracts.topics import EVENTS, MATERIALIZE_GROUP, ROUTE_GROUP
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.processes import free_port, running_module

FOLDER = Path(__file__).parent / "first_release"
PARTITIONS = 6
LAST_MIGRATION = 7
"""Of the release before."""
TOPIC = {
    "retention.ms": "-1",  # the copy's times are what they are, whatever the time is now
    "message.timestamp.after.max.ms": str(2**63 - 1),
}


def lines(name: str) -> list[dict[str, Any]]:
    """One of the files, line by line."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines()]


ROWS, LOG, ERASURES = lines("events"), lines("log"), lines("erasures")
ERASED: list[str] = json.loads((FOLDER / "names.json").read_text())["erased"]
ENDS = {number: sum(each["partition"] == number for each in LOG) for number in range(PARTITIONS)}


def leave(home: Path, behind: int) -> None:
    """Make `home` one of a stack of the release before, whose materializer is `behind` in its commits."""
    kafka, clickhouse = free_port(2), free_port()
    paths = [("--path", str(home / name)) for name in ("kafka", "clickhouse")]
    ping = f"http://127.0.0.1:{clickhouse}/ping"
    address = f"127.0.0.1:{kafka}"
    with (
        running_module("local.kafka", *paths[0], "--port", str(kafka), ready=address),
        running_module("local.clickhouse", *paths[1], "--port", str(clickhouse), ready=ping),
    ):
        asyncio.run(_leave(address, ping.removesuffix("/ping"), behind))


async def _leave(kafka: str, url: str, behind: int) -> None:
    clickhouse = ClickHouse(ClickHouseConnection(url=url))
    try:
        await fill_table(clickhouse, "events")
    finally:
        await clickhouse.close()
    await _fill_log(kafka)
    await _commit(kafka, behind)


def owed() -> dict[str, Any]:
    """The row of an event that was erased: its process was killed while ClickHouse had no room."""
    tombstone = ERASURES[-1]
    [value] = [each["value"] for each in LOG if each["value"] and tombstone["id"] in each["value"]]
    event, [record] = json.loads(value), [each for each in LOG if each["value"] == value]
    place = {"kafka_partition": record["partition"], "kafka_offset": record["offset"]}
    columns = {name: event[name] for name in ("id", "entity_id", "event_type", "event_source")}
    received_at = {"received_at": record["timestamp"] / 1000}
    return ROWS[0] | columns | place | received_at | {"tenant": tombstone["tenant"]}


async def fill_table(clickhouse: ClickHouse, database: str) -> None:
    """Create `database` as the release before had it, with its rows."""
    for statement in statements(PREPARE, database):
        await clickhouse.execute(statement)
    for migration in migrations()[:LAST_MIGRATION]:
        for statement in statements(migration.text, database):
            await clickhouse.execute(statement)
        await clickhouse.execute(record(migration, database))
    for table, rows in (("events", [*ROWS, owed()]), ("erasures", ERASURES)):
        content = "\n".join(map(json.dumps, rows)).encode()
        columns = list(rows[0])
        await clickhouse.insert(
            f"{database}.{table}", columns, "JSONEachRow", partial(iter, [content]), {}
        )


async def _fill_log(kafka: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(EVENTS, PARTITIONS, 1, topic_configs=TOPIC)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        for each in LOG:
            await append(producer, each, each["partition"], each["offset"])


async def append(
    producer: AIOKafkaProducer, each: dict[str, Any], partition: int, offset: int | None = None
) -> int:
    """Append a record of the copy, to lie at `offset` if given; where it lies."""
    sent = await producer.send_and_wait(
        EVENTS,
        each["value"] and each["value"].encode(),
        key=each["key"].encode(),
        partition=partition,
        timestamp_ms=each["timestamp"],
        headers=[(name, value.encode()) for name, value in each["headers"].items()],
    )
    assert offset in (None, sent.offset)
    return int(sent.offset)


async def _commit(kafka: str, behind: int) -> None:
    for group in (MATERIALIZE_GROUP, ROUTE_GROUP):
        async with AIOKafkaConsumer(
            bootstrap_servers=kafka, group_id=group, enable_auto_commit=False
        ) as consumer:
            ends = {TopicPartition(EVENTS, number): end for number, end in ENDS.items()}
            consumer.assign(list(ends))
            await consumer.commit({each: max(0, end - behind) for each, end in ends.items()})

"""An event out of the log, on the real broker: before the view has it, and nothing that may not be shown."""

import asyncio
import contextlib
import itertools
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.conn import create_conn

from contracts.clickhouse.table import ERASED
from contracts.encoding.compression import Compression
from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from contracts.encoding.wire import decode_event, encode_erasure, record_key
from contracts.ids import made_at_ms, partition_of
from ingest.events import make
from query.log import LogLookup
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from service.kafka.stretch import Stretches
from tests.builders import an_event, represented
from tests.stack import DEADLINE_S, Stack
from tests.topics import a_topic
from tests.view.records import record

TENANT = "acme"
PARTITIONS = 3
LIMITS = QueueLimits(waiting_bytes=1 << 24, ack_s=30)
BYTES_MAX = 1 << 20


@pytest.fixture(autouse=True)
def _asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed is noticed within a second, and whoever asks is patient: machines are busy."""
    monkeypatch.setattr("service.kafka.cluster.AGE_MAX_S", 1.0)
    monkeypatch.setattr("service.kafka.stretch.READ_TIMEOUT_S", DEADLINE_S)


@pytest.fixture
def kafka(stack: Stack) -> KafkaConnection:
    return KafkaConnection(bootstrap_servers=stack.status["kafka"])


@pytest.fixture
async def topic(kafka: KafkaConnection) -> AsyncIterator[str]:
    async with a_topic(kafka, PARTITIONS) as name:
        yield name


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.01)


class Log:
    """A topic of events as the edge appends to it, and as lookups read it."""

    def __init__(
        self, kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch, bytes_max: int
    ) -> None:
        monkeypatch.setattr("ingest.events.EVENTS", topic)
        self.topic = topic
        self.log = EventLog(kafka, (topic,), LIMITS)
        self.stretches = Stretches(kafka, topic, bytes_max)
        self.lookup = LogLookup(self.stretches, 1000)

    async def post(self, tenant: str = TENANT, **changes: Any) -> tuple[uuid.UUID, bytes]:
        """Id and representation of a new event, once it is durable."""
        draft = parse_event(json.dumps(an_event(**changes)).encode())
        event_id, representation, made = make(self.log, tenant, draft, None, 1_000_000)
        await self.append(made)
        return uuid.UUID(event_id), representation

    async def append(self, made: Record) -> int:
        return await self.log.append(self.topic, made)

    async def erase(self, representation: bytes, tenant: str = TENANT) -> None:
        """As DELETE does."""
        now_ms = time.time_ns() // 1_000_000
        event = decode_event(representation)
        await self.append(encode_erasure(tenant, event, str(uuid.uuid4()), now_ms))

    async def find(self, event_id: uuid.UUID, tenant: str = TENANT) -> bytes | None:
        async with asyncio.timeout(DEADLINE_S):
            return await self.lookup.find(tenant, event_id)


@contextlib.asynccontextmanager
async def opened(
    kafka: KafkaConnection,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    bytes_max: int = BYTES_MAX,
) -> AsyncIterator[Log]:
    log = Log(kafka, topic, monkeypatch, bytes_max)
    await log.log.start()
    await log.stretches.start()
    try:
        await until(lambda: log.log.ready and log.stretches.partitions)
        yield log
    finally:
        await log.stretches.stop()
        await log.log.stop()


@pytest.fixture
async def log(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Log]:
    async with opened(kafka, topic, monkeypatch) as found:
        yield found


async def test_each_event_is_found_in_the_partition_that_its_id_names(log: Log) -> None:
    posted = [await log.post(entity_id=f"{n}") for n in range(20)]
    assert {partition_of(event_id) for event_id, _ in posted} == set(range(PARTITIONS))
    found = await asyncio.gather(*(log.find(event_id) for event_id, _ in posted))
    assert found == [representation for _, representation in posted]
    assert log.lookup.counts["read"] <= PARTITIONS  # those that wait together share a read


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
async def test_it_is_found_in_batches_of_every_compression(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch, compression: Compression
) -> None:
    settings = {"compression": compression, "compression_bytes_min": 0}
    async with opened(kafka.model_copy(update=settings), topic, monkeypatch) as log:
        text = "x" * 5000
        posted = await asyncio.gather(*(log.post(entity_name=text[n:500]) for n in range(30)))
        for event_id, representation in posted:
            assert await log.find(event_id) == representation


async def test_what_was_erased_stays_so_wherever_its_tombstone_lies_behind_it(log: Log) -> None:
    (erased, representation), (kept, other) = await log.post(), await log.post()
    await log.erase(representation)
    assert await log.find(erased) is ERASED
    assert await log.find(kept) == other
    await log.append(record(TENANT, an_event(), str(erased), made_at_ms(erased) or 0))
    assert await log.find(erased) is ERASED


async def test_nobody_finds_another_tenants_event_nor_erases_it(log: Log) -> None:
    event_id, representation = await log.post()
    await log.erase(representation, "others")
    mine, theirs = await asyncio.gather(log.find(event_id), log.find(event_id, "strangers"))
    assert (mine, theirs) == (representation, None)


async def test_of_two_records_under_one_id_the_first_counts(log: Log) -> None:
    event_id, representation = await log.post()
    again = record(TENANT, an_event(event_type="FAULT"), str(event_id), time.time_ns() // 1_000_000)
    await log.append(again)
    assert await log.find(event_id) == representation


async def test_what_the_view_would_reject_is_not_found(log: Log) -> None:
    event_id, _ = await log.post()
    made_ms, value = made_at_ms(event_id) or 0, represented(an_event(), str(event_id))
    tenant, nobody = encode_headers([("ce_tenant", TENANT.encode())]), encode_headers([])
    rejected = {
        "no JSON": (value[:-1], tenant, made_ms),
        "no base64": (value.replace(b'"eyJ', b'"?yJ'), tenant, made_ms),
        "no tenant": (value, nobody, made_ms),
    }
    for name, (bad, headers, timestamp_ms) in rejected.items():
        twin = uuid.UUID(int=event_id.int ^ 1 << 20)
        bad = bad.replace(str(event_id).encode(), str(twin).encode())
        key = record_key(TENANT, an_event()["entity_id"])
        await log.append(new_record(key, bad, headers, timestamp_ms))
        assert await log.find(twin) is None, name
    good = value.replace(str(event_id).encode(), str(twin).encode())
    await log.append(new_record(key, good, tenant, made_ms))
    assert await log.find(twin) == good


@pytest.mark.parametrize("made_ms", [0, 7_258_118_400_000, 2**48 - 1])
async def test_ids_that_nobody_made_are_not_found_and_cost_a_bounded_read(
    log: Log, made_ms: int
) -> None:
    event_id, representation = await log.post()
    for partition in (*range(PARTITIONS), PARTITIONS, 4095):
        hostile = uuid.UUID(int=made_ms << 80 | 7 << 76 | 2 << 62 | partition)
        assert await log.find(hostile) is None
    assert await log.find(event_id) == representation


async def test_a_read_that_would_be_too_long_costs_the_older_ids_alone(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = kafka.model_copy(update={"compression": "none"})
    async with opened(plain, topic, monkeypatch, bytes_max=100_000) as log:
        old, _ = await log.post(entity_id="a")
        for _ in range(4):
            await log.post(entity_id="a", entity_name="x" * 500, event_payload=_large(60_000))
        new, representation = await log.post(entity_id="a")
        found = await asyncio.gather(log.find(old), log.find(new))
        assert list(found) == [None, representation]
        assert log.lookup.counts["too_much"]
        large, its = await log.post(entity_id="a", event_payload=_large(600_000))
        assert await log.find(large) == its  # one batch is read whatever it has


def _large(size: int) -> dict[str, Any]:
    payload: dict[str, Any] = an_event()["event_payload"]
    return payload | {"base64_encoded_payload_json": "QUJD" * (size // 4)}


async def test_an_entity_that_moved_when_partitions_were_added_is_left_to_the_view(
    kafka: KafkaConnection, log: Log
) -> None:
    """Its erasure would lie elsewhere."""
    posted = [await log.post(entity_id=f"{n}") for n in range(20)]
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    try:
        await admin.create_partitions({log.topic: NewPartitions(total_count=2 * PARTITIONS)})
    finally:
        await admin.close()
    await until(lambda: log.stretches.partitions == 2 * PARTITIONS)
    found = [await log.find(event_id) for event_id, _ in posted]
    assert {None} < set(found) <= {None, *(representation for _, representation in posted)}
    await until(lambda: log.log.partition_of(log.topic, 5) == 5)
    event_id, representation = await log.post(entity_id="new")
    assert await log.find(event_id) == representation


async def test_a_topic_that_was_made_anew_is_another_log(kafka: KafkaConnection, log: Log) -> None:
    event_id, representation = await log.post()
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    try:
        await admin.delete_topics([log.topic])
        async with asyncio.timeout(DEADLINE_S):
            while [each["error_code"] for each in await admin.describe_topics([log.topic])] == [0]:
                await asyncio.sleep(0.05)
        await admin.create_topics([NewTopic(log.topic, PARTITIONS, 1)])
        await until(lambda: not log.stretches.partitions)
    finally:
        await admin.close()
    assert await log.find(event_id) is None
    assert representation


async def test_without_kafka_it_is_said_at_once_that_the_log_does_not_tell() -> None:
    stretches = Stretches(KafkaConnection(bootstrap_servers="127.0.0.1:1"), "events", BYTES_MAX)
    await stretches.start()
    try:
        began_s = time.monotonic()
        made = uuid.UUID(int=(time.time_ns() // 1_000_000) << 80 | 7 << 76 | 2 << 62)
        assert await LogLookup(stretches, 10).find(TENANT, made) is None
        assert time.monotonic() - began_s < DEADLINE_S / 10
    finally:
        await stretches.stop()


async def test_a_broker_that_hangs_is_given_up_in_time_then_left_alone_and_read_again(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    event_id, representation = await log.post()
    hangs = asyncio.Event()
    sent = itertools.count()

    async def slow(*address: Any, **arguments: Any) -> Any:
        """A connection whose answers do not come while it `hangs`."""
        connection = await create_conn(*address, **arguments)
        send = connection.send

        async def held(request: Any) -> Any:
            next(sent)
            if hangs.is_set():
                await asyncio.sleep(2 * DEADLINE_S)
            return await send(request)

        connection.send = held
        return connection

    monkeypatch.setattr("service.kafka.stretch.create_conn", slow)
    monkeypatch.setattr("service.kafka.stretch.READ_TIMEOUT_S", 0.2)
    monkeypatch.setattr("service.kafka.stretch.REST_S", DEADLINE_S)
    hangs.set()
    found = await asyncio.gather(*(log.find(event_id, f"t{n}") for n in range(5)))
    assert set(found) == {None}
    asked = next(sent)
    assert await log.find(event_id) is None  # nobody waits for it again
    assert next(sent) == asked + 1
    hangs.clear()
    log.stretches._resting.clear()
    monkeypatch.setattr("service.kafka.stretch.READ_TIMEOUT_S", DEADLINE_S)
    assert await log.find(event_id) == representation


async def test_more_than_may_wait_are_left_to_the_view(log: Log) -> None:
    event_id, _ = await log.post()
    few = LogLookup(log.stretches, 2)
    asked = [few.find(f"t{n}", event_id) for n in range(3)]
    assert set(await asyncio.gather(*asked)) == {None}
    assert few.counts["read"] == 1

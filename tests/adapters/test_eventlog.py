"""Appending to the real broker: in order, once, whatever becomes of the answers."""

import asyncio
import contextlib
import itertools
import random
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.errors import (
    KafkaConnectionError,
    OutOfOrderSequenceNumber,
    UnknownTopicOrPartitionError,
)
from aiokafka.structs import ConsumerRecord

from contracts.encoding.recordbatch import Record, encode_headers, new_record
from service.connections import KafkaConnection
from service.kafka.broker import BrokerConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits, Unaccepted, Unacknowledged
from service.kafka.topic_id import TopicId
from tests.records import consumed
from tests.stack import Stack
from tests.topics import FOR_EVER, a_topic

PARTITIONS = 3
LIMITS = QueueLimits(waiting_bytes=1 << 20, ack_s=5)
Answer = Callable[[Awaitable[Any]], Coroutine[Any, Any, Any]]


@pytest.fixture
def kafka(stack: Stack) -> KafkaConnection:
    """Whatever is appended is compressed, so that all of this holds for compressed batches."""
    return KafkaConnection(bootstrap_servers=stack.status["kafka"], compression_bytes_min=0)


@pytest.fixture(autouse=True)
def _asks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has changed is noticed within a second; tests/cluster keeps the real time."""
    monkeypatch.setattr("service.kafka.cluster.AGE_MAX_S", 1.0)


@pytest.fixture
async def topic(kafka: KafkaConnection) -> AsyncIterator[str]:
    """An empty topic."""
    async with a_topic(kafka, PARTITIONS) as name:
        yield name


def a_record(number: int, size: int = 10) -> Record:
    headers = encode_headers([("n", b"%d" % number)])
    return new_record(b"%d" % number, b"%0*d" % (size, number), headers, 1_700_000_000)


def partition_of(record: Record) -> int:
    return record.key_hash % PARTITIONS


async def read_all(
    kafka: KafkaConnection, topic: str, count: int = PARTITIONS
) -> list[ConsumerRecord]:
    """Every record of the topic."""
    consumer = AIOKafkaConsumer(**kafka.client_args())
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(count)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        found: list[ConsumerRecord] = []
        while any([await consumer.position(part) < ends[part] for part in partitions]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                found += records
        return found
    finally:
        await consumer.stop()


async def until(condition: Callable[[], bool], within_s: float = 30) -> None:
    give_up = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < give_up
        await asyncio.sleep(0.01)


def with_answers(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Every connection to a broker gets its answers through `answer`."""
    produce = BrokerConnection.produce

    def answered(self: BrokerConnection, *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.ensure_future(answer(produce(self, *arguments)))

    monkeypatch.setattr(BrokerConnection, "produce", answered)


async def append_all(log: EventLog, topic: str, records: list[Record]) -> list[int]:
    return await asyncio.gather(*(log.append(topic, record) for record in records))


async def test_records_are_there_once_at_their_offsets_and_in_order(
    kafka: KafkaConnection, topic: str
) -> None:
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    records = [a_record(number) for number in range(2000)]
    offsets = await append_all(log, topic, records)
    await log.stop()
    found = await read_all(kafka, topic)
    assert sorted((r.key, r.offset, r.value) for r in found) == sorted(
        (sent.key, offset, sent.value)
        for sent, offset in zip(map(consumed, records), offsets, strict=True)
    )
    for partition in range(PARTITIONS):
        numbers = [int(r.value) for r in found if r.partition == partition]
        assert numbers == sorted(numbers)
    assert found[0].headers == (("n", found[0].key),)
    assert found[0].timestamp == 1_700_000_000


async def test_a_lost_answer_doubles_nothing(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, lost = random.Random(20261124), 0

    async def lose_some(sent: Awaitable[Any]) -> Any:
        nonlocal lost
        answer = await sent
        if chance.random() < 0.4:
            lost += 1
            raise KafkaConnectionError("the answer was lost")
        return answer

    with_answers(monkeypatch, lose_some)
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    for start in range(0, 300, 30):
        await append_all(log, topic, [a_record(number) for number in range(start, start + 30)])
    await log.stop()
    assert lost > 3
    found = await read_all(kafka, topic)
    assert sorted(int(record.value) for record in found) == list(range(300))


async def test_batches_larger_than_kafka_takes_are_cut_and_all_arrive(
    kafka: KafkaConnection, topic: str
) -> None:
    log = EventLog(kafka, (topic,), QueueLimits(waiting_bytes=1 << 24, ack_s=5))
    await log.start()
    await until(lambda: log.ready)
    await append_all(log, topic, [a_record(number, 200_000) for number in range(60)])
    await log.stop()
    assert len(await read_all(kafka, topic)) == 60


async def test_without_acknowledgement_a_lane_refuses_and_comes_back(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = asyncio.Event()

    async def hold(sent: Awaitable[Any]) -> Any:
        answer = await sent
        await answers.wait()
        return answer

    with_answers(monkeypatch, hold)
    log = EventLog(kafka, (topic,), QueueLimits(waiting_bytes=1 << 20, ack_s=0.3))
    await log.start()
    await until(lambda: log.ready)
    first = log.append(topic, a_record(1))
    with pytest.raises(Unacknowledged, match=r"0\.3 s"):
        await first
    assert log.ready, "one partition of three is no reason to go away"
    assert log.stalled_partitions == [(topic, partition_of(a_record(1)))]
    with pytest.raises(Unaccepted, match="does not acknowledge"):
        log.append(topic, a_record(1))
    second = next(
        r for r in map(a_record, itertools.count()) if partition_of(r) != partition_of(a_record(1))
    )
    with pytest.raises(Unacknowledged):
        await log.append(topic, second)
    assert not log.ready
    assert len(log.stalled_partitions) == 2
    answers.set()
    await until(lambda: log.ready)
    await log.append(topic, a_record(2))
    await log.stop()
    assert len(await read_all(kafka, topic)) == 3  # two of them unconfirmed


async def test_a_partition_that_is_added_is_used_without_another_producer(
    kafka: KafkaConnection, topic: str
) -> None:
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    await append_all(log, topic, [a_record(number) for number in range(50)])
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    await admin.create_partitions({topic: NewPartitions(2 * PARTITIONS)})
    await admin.close()
    await until(lambda: len(log._queues[topic]) == 2 * PARTITIONS)
    await append_all(log, topic, [a_record(number) for number in range(50, 100)])
    await log.stop()
    found = await read_all(kafka, topic, 2 * PARTITIONS)
    assert sorted(int(record.value) for record in found) == list(range(100))
    for record in found:
        count = PARTITIONS if int(record.value) < 50 else 2 * PARTITIONS
        assert record.partition == a_record(int(record.value)).key_hash % count


async def test_what_waits_is_bounded(kafka: KafkaConnection, topic: str) -> None:
    log = EventLog(kafka, (topic,), QueueLimits(waiting_bytes=1000, ack_s=5))
    await log.start()
    await until(lambda: log.ready)
    taken = [log.append(topic, a_record(7, 400)) for _ in range(2)]
    with pytest.raises(Unaccepted, match="866 bytes wait"):
        log.append(topic, a_record(7, 400))
    await asyncio.gather(*taken)
    await log.stop()


async def test_a_producer_that_lost_its_sequence_is_replaced(
    kafka: KafkaConnection, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = iter([True])

    async def fail_once(sent: Awaitable[Any]) -> Any:
        answer = await sent
        if next(failures, False):
            raise OutOfOrderSequenceNumber
        return answer

    with_answers(monkeypatch, fail_once)
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    with pytest.raises(Unacknowledged):
        await log.append(topic, a_record(1))
    await until(lambda: log.ready)
    await log.append(topic, a_record(2))
    await log.stop()


async def made_anew(kafka: KafkaConnection, topic: str) -> None:
    """Delete the topic and create it again, under its old name."""
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    await admin.delete_topics([topic])
    give_up = time.monotonic() + 60
    while True:  # it is gone a moment later
        created = await admin.create_topics(
            [NewTopic(topic, PARTITIONS, 1, topic_configs=FOR_EVER)]
        )
        if not created.topic_errors[0][1]:
            break
        assert time.monotonic() < give_up
        await asyncio.sleep(0.05)
    await admin.close()


async def test_a_topic_that_was_made_anew_takes_nothing_until_the_next_start_and_others_go_on(
    kafka: KafkaConnection, topic: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = f"{topic}-other"
    admin = AIOKafkaAdminClient(**kafka.client_args())
    await admin.start()
    await admin.create_topics([NewTopic(other, PARTITIONS, 1, topic_configs=FOR_EVER)])
    log = EventLog(kafka, (topic, other), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    await append_all(log, topic, [a_record(number) for number in range(10)])
    await made_anew(kafka, topic)
    await until(lambda: log.made_anew == [topic] and bool(log._queues.get(other)))
    assert not log.ready
    with pytest.raises(Unaccepted, match=f"^the topic {topic} was made anew"):
        log.append(topic, a_record(1))
    [refused] = await log.append_all(topic, [a_record(1)])
    assert isinstance(refused, Unaccepted)
    await append_all(log, other, [a_record(number) for number in range(10)])
    assert not log.ready, "as long as it runs"
    await log.stop()
    said = [each.getMessage() for each in caplog.records if "made anew" in each.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"the topic {topic} was made anew: it had the id ")
    assert [int(record.value) for record in await read_all(kafka, topic)] == []
    assert len(await read_all(kafka, other)) == 10

    restarted = EventLog(kafka, (topic, other), LIMITS)
    await restarted.start()
    await until(lambda: restarted.ready)
    assert await restarted.append(topic, a_record(1)) == 0
    await restarted.stop()
    await admin.delete_topics([other])
    await admin.close()


async def test_a_topic_that_is_made_anew_under_a_stream_of_posts_is_noticed(
    kafka: KafkaConnection, topic: str
) -> None:
    """What was taken before it was noticed is in the new log, once: it is no less durable there."""
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    await until(lambda: log.ready)
    acknowledged, numbers = set[int](), itertools.count()

    async def post() -> None:
        while not log.made_anew:
            number = next(numbers)
            try:
                await log.append(topic, a_record(number))
            except (Unaccepted, Unacknowledged):
                await asyncio.sleep(0.01)
            else:
                acknowledged.add(number)

    posting = [asyncio.create_task(post()) for _ in range(8)]
    await until(lambda: len(acknowledged) > 100)
    before = set(acknowledged)
    await made_anew(kafka, topic)
    async with asyncio.timeout(60):
        await asyncio.gather(*posting)
    await log.stop()
    there = [int(record.value) for record in await read_all(kafka, topic)]
    assert len(there) == len(set(there))
    assert not before & set(there)


async def id_of(asked: TopicId) -> uuid.UUID:
    """Its id as soon as the broker knows the topic: a moment after it was created."""
    while True:
        with contextlib.suppress(UnknownTopicOrPartitionError):
            return await asked.now()


async def test_a_topics_id_is_another_when_it_is_made_anew(
    kafka: KafkaConnection, topic: str
) -> None:
    asked, missing = TopicId(kafka, topic), TopicId(kafka, f"{topic}-nowhere")
    async with asyncio.timeout(60):
        first = await id_of(asked)
        assert await asked.now() == first
        await made_anew(kafka, topic)
        while await id_of(asked) == first:
            pass
    with pytest.raises(UnknownTopicOrPartitionError):
        await missing.now()
    await asked.close()
    await missing.close()

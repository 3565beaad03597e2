"""Compressed batches on the real broker: it keeps them as they came, and foreign readers read them."""

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import get_args

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from contracts.encoding.compression import Compression
from contracts.encoding.recordbatch import Record, encode_headers, new_record
from local.java import command
from service.connections import KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import BATCH_BYTES_MAX, PartitionQueue, QueueLimits
from service.kafka.producer import TURN_BYTES_MAX, Producer
from tests.stack import Stack, eventually
from tests.topics import a_topic

PARTITIONS = 4
DEADLINE_S = 180
LIMITS = QueueLimits(waiting_bytes=1 << 24, ack_s=DEADLINE_S)
COMPRESSIONS = get_args(Compression)


@pytest.fixture
async def topic(stack: Stack) -> AsyncIterator[str]:
    """An empty topic."""
    async with a_topic(
        KafkaConnection(bootstrap_servers=stack.status["kafka"]), PARTITIONS
    ) as name:
        yield name


def records(kind: str, count: int, size: int = 200) -> list[Record]:
    headers = encode_headers([("kind", kind.encode())])
    text = kind.encode() * size
    return [new_record(b"%d" % n, b"%d %b" % (n, text), headers, 1000 + n) for n in range(count)]


async def append(stack: Stack, topic: str, compression: Compression, sent: list[Record]) -> None:
    """Append by a log of its own, whose batches are compressed however small they are."""
    kafka = KafkaConnection(
        bootstrap_servers=stack.status["kafka"], compression=compression, compression_bytes_min=0
    )
    log = EventLog(kafka, (topic,), LIMITS)
    await log.start()
    async with asyncio.timeout(DEADLINE_S):
        while not log.ready:
            await asyncio.sleep(0.01)
        assert not any(await log.append_all(topic, sent))
    await log.stop()


def java(*arguments: str) -> str:
    """What a tool of Kafka's own prints."""
    argv = command("kafka", "128m", arguments)
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert ran.returncode == 0, f"{arguments[0]} ended with {ran.returncode}: {ran.stderr[-2000:]}"
    return ran.stdout


def codecs(log: Path) -> Iterator[str]:
    """The compression of each batch in the topic's files, as Kafka's own tool reads them."""
    segments = ",".join(str(each) for each in sorted(log.glob("*.log")))
    for line in java("kafka.tools.DumpLogSegments", "--files", segments).splitlines():
        if found := re.search(r"compresscodec: (\w+)", line):
            assert "isvalid: true" in line
            yield found[1]


async def test_the_broker_keeps_batches_as_they_came_and_every_client_reads_them(
    stack: Stack, topic: str
) -> None:
    for compression in COMPRESSIONS:
        await append(stack, topic, compression, records(compression, 40))
    wanted = sorted((n % 40, kind) for kind in COMPRESSIONS for n in range(40))
    kafka = stack.status["kafka"]

    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    found: list[ConsumerRecord] = []
    async with asyncio.timeout(DEADLINE_S), consumer:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        while len(found) < len(wanted):
            for each in (await consumer.getmany(timeout_ms=1000)).values():
                found += each
    assert sorted((int(r.key), r.headers[0][1].decode()) for r in found) == wanted
    for record in found:
        kind = record.headers[0][1]
        assert record.value == b"%b %b" % (record.key, kind * 200)
        assert record.timestamp == 1000 + int(record.key)

    printed = java(
        *("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", kafka),
        *("--topic", topic, "--from-beginning", "--max-messages", str(len(wanted))),
    )
    texts = [line.split(" ") for line in printed.splitlines()]
    assert sorted((int(n), text[: len(text) // 200]) for n, text in texts) == wanted

    folders = [*(stack.home / "kafka" / "data").glob(f"{topic}-[0-9]")]
    in_log = eventually(
        lambda: {codec for folder in folders for codec in codecs(folder)},
        until=lambda found: bool(found),
    )
    assert in_log == set(COMPRESSIONS)


async def test_one_turn_of_the_loop_encodes_no_more_than_its_share(
    stack: Stack, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, cut, turns = Producer._take_due, PartitionQueue.cut, []

    def taken(self: Producer) -> list[PartitionQueue]:
        turns.append(0)
        return take(self)

    def counted(self: PartitionQueue, *arguments: int) -> object:
        turns[-1] += self.cut_bytes
        return cut(self, *arguments)

    monkeypatch.setattr(Producer, "_take_due", taken)
    monkeypatch.setattr(PartitionQueue, "cut", counted)
    sent = records("zstd", 2000, 1000)
    await append(stack, topic, "zstd", sent)
    assert sum(turns) >= sum(each.size_bytes for each in sent) > 4 * TURN_BYTES_MAX
    assert max(turns) < TURN_BYTES_MAX + BATCH_BYTES_MAX

"""Fetched batches are read through aiokafka's own code, and a damaged one is refused."""

import struct
from typing import Any, get_args
from unittest import mock

import aiokafka.codec
import pytest
import zstandard
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError
from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.encoding.compression import Codec, Compression, codec
from contracts.encoding.recordbatch import encode_batch, encode_headers, new_record
from processors.consume.checksums import BATCHES, CheckedRecords, fetch_with_checksums
from processors.consume.loss import GuardedConsumer

HEADERS = encode_headers([("ce_tenant", b"acme")])
FIRST = [new_record(b"acme:1", text, HEADERS, 1000 + len(text)) for text in (b"one", b"second")]
BASE_OFFSET = struct.pack(">q", len(FIRST))
FOREIGN = new_record(b"acme:3", b"y" * 500_000, HEADERS, 5)
CRC_STARTS = 17


def fetched(compression: Compression) -> tuple[bytes, int]:
    """Two batches as Kafka answers them, the last compressed, and where that begins."""
    record = new_record(b"acme:2", b"x" * 300, HEADERS, 5)
    last = b"".join(encode_batch([record], 7, 0, 2, codec(compression, 0)))
    first = b"".join(encode_batch(FIRST, 7, 0, 0))
    return first + BASE_OFFSET + last[len(BASE_OFFSET) :], len(first)


DATA, _ = fetched("none")


def read(data: bytes) -> list[Any]:
    """As a consumer reads the answer for one partition."""
    batches = CheckedRecords(data)
    return list(PartitionRecords(TopicPartition("events", 0), batches, [], 0, None, None, False, 0))


@pytest.mark.parametrize("compression", get_args(Compression))
def test_batches_that_are_whole_are_read(compression: Compression) -> None:
    data, _ = fetched(compression)
    assert [record.value for record in read(data)] == [b"one", b"second", b"x" * 300]


def test_a_last_batch_that_is_cut_off_is_left_for_the_next_answer() -> None:
    assert [record.value for record in read(DATA[:-1])] == [b"one", b"second"]


@pytest.mark.parametrize("compression", get_args(Compression))
@given(data=st.data(), difference=st.integers(1, 255))
def test_one_byte_that_is_not_as_written_is_seen(
    compression: Compression, data: st.DataObject, difference: int
) -> None:
    whole, last = fetched(compression)
    at = data.draw(st.integers(CRC_STARTS, len(whole) - 1))
    assume(not last <= at < last + CRC_STARTS)  # lengths and the like: no checksum covers them
    damaged = bytearray(whole)
    damaged[at] ^= difference
    with pytest.raises(CorruptRecordException):
        read(bytes(damaged))


def test_every_consumer_of_the_process_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    monkeypatch.setattr(BATCHES, "zstd_decode", vars(BATCHES)["zstd_decode"])
    monkeypatch.setattr(aiokafka.codec.cramjam, "zstd", None)  # aiokafka's own would fail
    fetch_with_checksums()
    assert fetcher.MemoryRecords is CheckedRecords
    data, _ = fetched("zstd")
    compressor = zstandard.ZstdCompressor(write_content_size=False)  # as other producers write it
    foreign = encode_batch([FOREIGN], 7, 0, 0, Codec(4, compressor.compress, 0))
    assert [record.value for record in read(data)] == [b"one", b"second", b"x" * 300]
    assert [record.value for record in read(b"".join(foreign))] == [b"y" * 500_000]


@pytest.mark.parametrize("error", [CorruptRecordException(), UnsupportedCodecError()])
async def test_a_batch_that_cannot_be_read_ends_the_process(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What the same call had taken from other partitions is lost with it: nothing may be committed."""
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", mock.AsyncMock(side_effect=error))
    failures: list[Exception] = []
    consumer = GuardedConsumer(mock.AsyncMock(), failures.append)
    assert await consumer.getmany() == {}
    assert failures == [error]


async def test_records_are_waited_for_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """FastStream sleeps after an answer without records, while some come."""
    found = {TopicPartition("events", 0): ["a record"]}
    getmany = mock.AsyncMock(side_effect=[{}, {}, found])
    monkeypatch.setattr(AIOKafkaConsumer, "getmany", getmany)
    consumer = GuardedConsumer(mock.AsyncMock(), mock.Mock())
    assert await consumer.getmany(timeout_ms=100, max_records=7) == found
    await consumer.stop()
    assert getmany.call_args_list == 3 * [mock.call(timeout_ms=100, max_records=7)]

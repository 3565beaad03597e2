"""Our record batches and aiokafka's are the same bytes; compressed ones have the same content."""

import os
from typing import Any

import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.compression import Compression, codec
from contracts.encoding.recordbatch import (
    EncodedBatch,
    Record,
    encode_batch,
    encode_header,
    encode_headers,
    new_record,
)

Headers = list[tuple[str, bytes | None]]
Parts = tuple[bytes, bytes | None, Headers, int]

HEADERS = st.lists(st.tuples(st.text(max_size=12), st.none() | st.binary(max_size=40)), max_size=4)
RECORDS = st.lists(
    st.tuples(
        st.binary(max_size=40),
        st.none() | st.binary(max_size=300) | st.integers(8000, 20_000).map(bytes),
        HEADERS,
        st.integers(0, 2**42),
    ),
    min_size=1,
    max_size=20,
)


def encoded(records: list[Parts]) -> list[Record]:
    """Our records of the same parts."""
    return [
        new_record(key, value, encode_headers(headers), ms) for key, value, headers, ms in records
    ]


@given(RECORDS, st.integers(0, 2**40), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
def test_a_batch_is_what_aiokafka_builds(
    records: list[Parts],
    producer_id: int,
    epoch: int,
    sequence: int,
) -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, producer_id, epoch, sequence, 1 << 26)
    for number, (key, value, headers, timestamp_ms) in enumerate(records):
        assert builder.append(number, timestamp_ms, key, value, headers)
    ours = encoded(records)
    assert b"".join(encode_batch(ours, producer_id, epoch, sequence)) == bytes(builder.build())


@given(HEADERS, HEADERS)
def test_headers_may_be_encoded_in_parts(first: Headers, more: Headers) -> None:
    parts = [encode_headers(first, more=len(more)), *(encode_header(*each) for each in more)]
    assert b"".join(parts) == encode_headers([*first, *more])


@given(RECORDS)
def test_a_record_takes_no_more_than_it_says(
    records: list[Parts],
) -> None:
    ours = encoded(records)
    head_bytes = 61
    assert sum(map(len, encode_batch(ours, 1, 0, 0))) <= head_bytes + sum(
        each.size_bytes for each in ours
    )


def read(batch: EncodedBatch) -> tuple[int, list[Any]]:
    """The number of the codec, and the records that aiokafka reads; it checks the CRC before."""
    found = MemoryRecords(b"".join(batch)).next_batch()
    assert found is not None
    assert found.validate_crc()
    return found.compression_type, list(found)


@pytest.mark.parametrize(("compression", "number"), [("lz4", 3), ("zstd", 4)])
@given(records=RECORDS)
def test_a_compressed_batch_holds_what_a_plain_one_holds(
    compression: Compression, number: int, records: list[Parts]
) -> None:
    ours = encoded(records)
    plain, packed = (
        encode_batch(ours, 7, 0, 3, with_codec) for with_codec in (None, codec(compression, 0))
    )
    assert len(packed[1]) <= len(plain[1])
    smaller = len(packed[1]) < len(plain[1])
    kind, found = read(packed)
    assert kind == (number if smaller else 0)
    assert [(r.key, r.value, r.headers, r.timestamp, r.offset) for r in found] == [
        (r.key, r.value, r.headers, r.timestamp, r.offset) for r in read(plain)[1]
    ]


@pytest.mark.parametrize(("compression", "number"), [("none", 0), ("lz4", 3), ("zstd", 4)])
def test_a_batch_is_compressed_where_that_gains(compression: Compression, number: int) -> None:
    alike = [new_record(b"key", b"value " * 50, b"\0", 0)] * 20
    size = len(encode_batch(alike, 7, 0, 0)[1])
    at_least, above = codec(compression, size), codec(compression, size + 1)
    assert read(encode_batch(alike, 7, 0, 0, at_least))[0] == number
    assert read(encode_batch(alike, 7, 0, 0, above))[0] == 0
    noise = [new_record(b"key", os.urandom(1000), b"\0", 0)]
    assert encode_batch(noise, 7, 0, 0, at_least) == encode_batch(noise, 7, 0, 0)

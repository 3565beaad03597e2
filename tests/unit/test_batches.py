"""What a broker sends is cut into batches, decompressed within its bound, and refused when it is damaged."""

import os

import pytest
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from contracts.encoding.batches import Unreadable, split
from contracts.encoding.compression import Compression, codec
from contracts.encoding.recordbatch import encode_batch, encode_headers, new_record
from service.kafka.stretch import NotRead, records

ROOM = 1 << 20
VALUES = st.lists(st.none() | st.binary(max_size=300), min_size=1, max_size=10)
KINDS = st.sampled_from(["none", "lz4", "zstd"])


def a_batch(values: list[bytes | None], kind: Compression = "none") -> bytes:
    made = [new_record(b"k", value, encode_headers([("n", b"v")]), 1_000) for value in values]
    return b"".join(encode_batch(made, -1, -1, -1, codec(kind, 0)))


@given(st.lists(st.tuples(VALUES, KINDS), max_size=4), st.integers(0, 200))
def test_all_whole_batches_are_read_whatever_their_compression(
    batches: list[tuple[list[bytes | None], Compression]], cut: int
) -> None:
    whole = [a_batch(values, kind) for values, kind in batches]
    data = b"".join(whole) + a_batch([bytes(500)])[:cut]
    found = list(split(data, ROOM))
    assert [each.next_offset for each in found] == [len(values) for values, _ in batches]
    read = [[record.value for record in records(each.data)] for each in found]
    assert read == [values for values, _ in batches]
    for each, (values, _) in zip(found, batches, strict=True):
        assert (
            each.data == a_batch(values)[:12] + each.data[12:]
        )  # as if it had not been compressed


@pytest.mark.parametrize("kind", ["none", "lz4", "zstd"])
def test_a_damaged_batch_is_not_read(kind: Compression) -> None:
    data = bytearray(a_batch([b"abc" * 100], kind))
    data[-3] ^= 1
    with pytest.raises(Unreadable, match="offset 0 is damaged"):
        list(split(bytes(data), ROOM))


@pytest.mark.parametrize("kind", ["lz4", "zstd"])
def test_what_would_unfold_to_more_than_there_is_room_for_is_not_read(kind: Compression) -> None:
    bomb = a_batch([bytes(20_000_000)], kind)
    assert len(bomb) < ROOM / 4
    with pytest.raises(Unreadable):
        list(split(bomb, ROOM))
    small = a_batch([bytes(600_000)], kind)
    with pytest.raises(Unreadable):
        list(split(small + small, ROOM))
    assert list(split(small, ROOM))


def test_other_formats_and_noise_are_not_read() -> None:
    for noise in (bytes(100), os.urandom(16) + b"\1" + bytes(100)):
        with pytest.raises(Unreadable, match="format"):
            list(split(noise, ROOM))
    assert list(split(b"", ROOM)) == []


def test_records_that_make_no_sense_are_not_read() -> None:
    broken = bytearray(a_batch([b"abc"]))
    broken[61] = 0x7F  # the record's length
    with pytest.raises(NotRead):
        list(records(bytes(broken)))
    assert MemoryRecords(a_batch([b"abc"])).has_next()

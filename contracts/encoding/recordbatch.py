"""Records and Kafka's record batches, format version 2: what goes over the wire and onto the disk.

aiokafka's builder takes headers as lists of pairs and walks them for every record; here what many
records have in common is encoded once and joined. Layout:
https://kafka.apache.org/documentation/#recordbatch.
"""

import struct
from collections.abc import Collection
from zlib import crc32

import crc32c
import msgspec

from contracts.encoding.compression import Codec
from contracts.encoding.leb128 import leb128

EncodedBatch = tuple[bytes, bytes]
"""A record batch in two pieces: its head, and its records, perhaps compressed."""


class Record(msgspec.Struct, gc=False):
    """What is appended to a topic, as it waits for its batch; made by `new_record`.

    `key_hash` chooses the partition, `content` is key, value and headers, the time is in ms since 1970.
    The content is joined while its parts are in the CPU's cache: later they would be fetched again.
    """

    key_hash: int
    content: bytes
    timestamp_ms: int

    @property
    def size_bytes(self) -> int:
        """What the record takes in a batch, or a little more."""
        return len(self.content) + OVERHEAD_BYTES


OVERHEAD_BYTES = 24  # of a record: attributes, and varints of its length and its two deltas
MAGIC = 2
NO_LEADER_EPOCH = -1
NULL = b"\x01"  # the length -1
NO_ATTRIBUTES = b"\0"

# base offset, length of what follows, leader epoch, magic, crc
BATCH_HEAD = struct.Struct(">qiibI")
# attributes, last offset delta, first and latest time, producer's id and epoch, sequence, count
_BODY = struct.Struct(">hiqqqhii")
LENGTH_STARTS = 12


def varint(number: int) -> bytes:
    """A zigzag variable-length integer (Protocol Buffers' sint64)."""
    if 0 <= number < len(_SMALL):
        return _SMALL[number]
    return _varint(number)


def _varint(number: int) -> bytes:
    return leb128((number << 1) ^ (number >> 63))


_SMALL = [_varint(number) for number in range(8192)]


def encode_header(name: str, value: bytes | None) -> bytes:
    """One record header."""
    key = name.encode()
    size = NULL if value is None else varint(len(value))
    return b"".join((varint(len(key)), key, size, value or b""))


def encode_headers(headers: Collection[tuple[str, bytes | None]], more: int = 0) -> bytes:
    """A record's headers, counted; `more` are counted that the caller adds behind them."""
    encoded = [encode_header(name, value) for name, value in headers]
    return varint(len(encoded) + more) + b"".join(encoded)


def new_record(key: bytes, value: bytes | None, headers: bytes, timestamp_ms: int) -> Record:
    """A record; `headers` is encoded by `encode_headers`, a `value` of None makes a tombstone."""
    return hashed_record(hash_of(key), key, value, headers, timestamp_ms)


hash_of = crc32
"""The hash of a key, as librdkafka's `consistent` partitioner takes it: modulo the partitions."""


def hashed_record(
    key_hash: int, key: bytes, value: bytes | None, headers: bytes, timestamp_ms: int
) -> Record:
    """`new_record` for whoever has the hash of the key already."""
    if value is None:
        content = b"".join((varint(len(key)), key, NULL, headers))
    else:
        content = b"".join((varint(len(key)), key, varint(len(value)), value, headers))
    return Record(key_hash, content, timestamp_ms)


def encode_batch(
    records: Collection[Record],
    producer_id: int,
    producer_epoch: int,
    first_sequence: int,
    codec: Codec | None = None,
) -> EncodedBatch:
    """`records`, at least one, as one batch of an idempotent producer, compressed by `codec`."""
    first_ms = latest_ms = next(iter(records)).timestamp_ms
    parts: list[bytes] = []
    for index, each in enumerate(records):
        content, timestamp_ms = each.content, each.timestamp_ms
        if timestamp_ms > latest_ms:
            latest_ms = timestamp_ms
        place = NO_ATTRIBUTES + varint(timestamp_ms - first_ms) + varint(index)
        parts += (varint(len(place) + len(content)), place, content)
    count, joined, attributes = len(records), b"".join(parts), 0
    if codec is not None:
        attributes, joined = codec.encode(joined)
    more = _BODY.pack(
        *(attributes, count - 1, first_ms, latest_ms),
        *(producer_id, producer_epoch, first_sequence, count),
    )
    length = BATCH_HEAD.size + _BODY.size + len(joined) - LENGTH_STARTS
    crc = crc32c.crc32c(joined, crc32c.crc32c(more))
    return BATCH_HEAD.pack(0, length, NO_LEADER_EPOCH, MAGIC, crc) + more, joined

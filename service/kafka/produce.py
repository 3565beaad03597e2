"""One Kafka Produce request as bytes, and its answer: version 7, the fields of an idempotent producer.

aiokafka encodes and decodes the same by walking its schemas, which costs more than all else that a
request needs; here it is a few `struct` formats and one copy of the batches. Layout:
https://kafka.apache.org/protocol, Request Header v1 and Produce.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contracts.encoding.recordbatch import EncodedBatch

API_KEY = 0
VERSION = 7
ALL_REPLICAS = -1

LENGTH = struct.Struct(">i")
_HEADER = struct.Struct(">hhih")  # API, version, correlation id, bytes of the client's name
_HEAD = struct.Struct(">hhii")  # no transactional id, acks, timeout in ms, number of topics
_TEXT = struct.Struct(">h")
_COUNT = struct.Struct(">i")
_BATCH = struct.Struct(">ii")  # partition, bytes of its record batch
_ACK = struct.Struct(">ihqqq")  # partition, error, base offset, append time, log start offset

Batches = Mapping[str, Sequence[tuple[int, EncodedBatch]]]
"""Per topic, pairs of partition and record batch."""


class Ack(NamedTuple):
    """What became of one partition's batch; `error` is a Kafka error code, 0 for none."""

    error: int
    offset: int


Acks = dict[tuple[str, int], Ack]
"""The answer to a Produce request, by topic and partition."""


def encode_produce(correlation_id: int, client: bytes, batches: Batches, timeout_ms: int) -> bytes:
    """The request, its length before it: append `batches` on all in-sync replicas."""
    parts = [
        b"",
        _HEADER.pack(API_KEY, VERSION, correlation_id, len(client)),
        client,
        _HEAD.pack(-1, ALL_REPLICAS, timeout_ms, len(batches)),
    ]
    for topic, partitions in batches.items():
        name = topic.encode()
        parts += (_TEXT.pack(len(name)), name, _COUNT.pack(len(partitions)))
        for partition, (head, body) in partitions:
            parts += (_BATCH.pack(partition, len(head) + len(body)), head, body)
    parts[0] = LENGTH.pack(sum(map(len, parts)))
    return b"".join(parts)


def decode_acks(answer: bytes) -> tuple[int, Acks]:
    """Correlation id and content of an answer without its length. Raises `struct.error`."""
    correlation_id, topics = struct.unpack_from(">ii", answer)
    at = 2 * _COUNT.size
    acks: Acks = {}
    for _ in range(topics):
        (length,) = _TEXT.unpack_from(answer, at)
        at += _TEXT.size + length
        topic = answer[at - length : at].decode()
        (partitions,) = _COUNT.unpack_from(answer, at)
        at += _COUNT.size
        for _ in range(partitions):
            partition, error, offset, _, _ = _ACK.unpack_from(answer, at)
            at += _ACK.size
            acks[topic, partition] = Ack(error, offset)
    return correlation_id, acks

"""One Kafka Produce request as bytes, and its answer: version 7, the fields of an idempotent producer.

aiokafka encodes and decodes the same by walking its schemas, which costs more than all else that a
request needs, and copies the batches for each part that it puts before them; here it is a few `struct`
formats, and one copy before aiokafka's own, which puts the length first. Layout:
https://kafka.apache.org/protocol, Request Header v1 and Produce.
"""

import struct
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import NamedTuple, Self

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request
from aiokafka.protocol.produce import ProduceRequest_v7

from contracts.recordbatch import EncodedBatch

VERSION = 7
ALL_REPLICAS = -1

_HEADER = struct.Struct(">hhih")  # API, version, correlation id, bytes of the client's name
_HEAD = struct.Struct(">hhii")  # no transactional id, acks, timeout in ms, number of topics
_TEXT = struct.Struct(">h")
_COUNT = struct.Struct(">i")
_BATCH = struct.Struct(">ii")  # partition, bytes of its record batch
_ACK = struct.Struct(">ihqqq")  # partition, error, base offset, append time, log start offset


class Ack(NamedTuple):
    """What became of one partition's batch; `error` is a Kafka error code, 0 for none."""

    topic: str
    partition: int
    error: int
    offset: int


class Acks(NamedTuple):
    """The answer to a Produce request."""

    acks: list[Ack]

    @classmethod
    def decode(cls, data: BytesIO) -> Self:
        """The answer's body, after its header."""
        buffer, at = data.read(), _COUNT.size
        (topics,) = _COUNT.unpack_from(buffer)
        acks = []
        for _ in range(topics):
            (length,) = _TEXT.unpack_from(buffer, at)
            at += _TEXT.size + length
            topic = buffer[at - length : at].decode()
            (partitions,) = _COUNT.unpack_from(buffer, at)
            at += _COUNT.size
            for _ in range(partitions):
                partition, error, offset, _, _ = _ACK.unpack_from(buffer, at)
                at += _ACK.size
                acks.append(Ack(topic, partition, error, offset))
        return cls(acks)


class _Whole(NamedTuple):
    """Header and body of a request."""

    parts: Sequence[bytes]

    def encode(self) -> bytes:
        return b"".join(self.parts)


class _Answered(NamedTuple):
    """Header of an answer."""

    correlation_id: int


class _Encoded(ProduceRequest_v7):  # type: ignore[misc]  # aiokafka is untyped here
    """aiokafka's request with a body that is encoded already and goes out as part of the header."""

    RESPONSE_TYPE = Acks

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = parts

    def build_request_header(self, correlation_id: int, client_id: str) -> _Whole:
        name = client_id.encode()
        header = _HEADER.pack(self.API_KEY, VERSION, correlation_id, len(name))
        return _Whole((header, name, *self._parts))

    def encode(self) -> bytes:
        return b""

    def parse_response_header(self, read_buffer: BytesIO) -> _Answered:
        return _Answered(*_COUNT.unpack(read_buffer.read(_COUNT.size)))


class Produce(Request[_Encoded]):  # type: ignore[misc]
    """Append record batches, waiting for all in-sync replicas; answered with `Acks`."""

    API_KEY = ProduceRequest_v7.API_KEY

    def __init__(
        self, batches: Iterable[tuple[str, list[tuple[int, EncodedBatch]]]], timeout_ms: int
    ) -> None:
        """`batches`: per topic, pairs of partition and record batch."""
        topics = list(batches)
        parts = [_HEAD.pack(-1, ALL_REPLICAS, timeout_ms, len(topics))]
        for topic, partitions in topics:
            name = topic.encode()
            parts += (_TEXT.pack(len(name)), name, _COUNT.pack(len(partitions)))
            for partition, batch in partitions:
                parts += (_BATCH.pack(partition, sum(map(len, batch))), *batch)
        self._parts = parts

    def prepare(self, versions: dict[int, tuple[int, int]]) -> _Encoded:
        """The request for a broker that takes `versions`; raises `IncompatibleBrokerVersion`."""
        lowest, highest = versions[self.API_KEY]
        if not lowest <= VERSION <= highest:
            raise IncompatibleBrokerVersion(
                f"the broker takes Produce {lowest} to {highest}, not {VERSION}: Kafka 2.1 or later"
            )
        return self.build(_Encoded)

    def build(self, request_struct_class: type[_Encoded]) -> _Encoded:
        """aiokafka's half of `prepare`."""
        return request_struct_class(self._parts)

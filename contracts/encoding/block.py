"""Rows of the events table as one block in ClickHouse's Native format, column by column.

Layout: https://clickhouse.com/docs/interfaces/formats/Native. A block is its numbers of columns and
rows, then each column's name, type and values. Numbers are little-endian, a text is its length
(unsigned LEB128) and its bytes, a UUID is its two halves as numbers. A Nullable has a byte for each
value, 1 for null, before the values; a Map has the number of entries up to each row, then all keys,
then all values. The server has nothing to parse, and what many rows have alike is done once.
"""

import itertools
import struct
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from contracts.encoding.codec import EventJson, decode_base64
from contracts.encoding.leb128 import leb128
from contracts.ids import is_derived

INSERT_FORMAT = "Native"
PIECE_BYTES = 512 * 1024
"""Small enough that a piece is still in the CPU's cache when it is sent."""

_COLUMNS = (
    # name, type, and how many streams of bytes it is made of
    ("kafka_log", "UInt32", 1),
    ("kafka_partition", "UInt32", 1),
    ("kafka_offset", "UInt64", 1),
    ("received_at", "DateTime64(3, 'UTC')", 1),
    ("id", "UUID", 1),
    ("tenant", "String", 1),
    ("event_type", "String", 1),
    ("event_source", "String", 1),
    ("operation", "String", 1),
    ("entity_id", "String", 1),
    ("payload_entity_id", "String", 1),
    ("entity_name", "Nullable(String)", 2),
    ("key_attributes", "Map(String, String)", 3),
    ("payload", "Nullable(String)", 2),
    ("fault", "Nullable(String)", 2),
)
INSERT_COLUMNS = tuple(name for name, _, _ in _COLUMNS)
"""The columns of a block, in their order."""


class NotBase64(Exception):
    """A payload or fault that is not canonical base64; the message names the member."""


Name = tuple[str, str]
"""Tenant and id: which event it is."""


class Row(msgspec.Struct, gc=False):
    """One row: its record's position in the log and time in ms since 1970, the event in it.

    `derived` says that an Idempotency-Key gave the id.
    """

    partition: int
    offset: int
    received_ms: int
    tenant: str
    event: EventJson
    payload: bytes | None
    fault: bytes | None
    derived: bool

    @property
    def name(self) -> Name:
        """Which event it is."""
        return self.tenant, self.event.id


def row(tenant: str, partition: int, offset: int, received_ms: int, event: EventJson) -> Row:
    """The row of `event` as the log has it. Raises `NotBase64`."""
    payload = event.event_payload
    content = fault = None
    if (encoded := payload.base64_encoded_payload_json) is not None:
        content = decode_base64(cast("str", encoded))
        if content is None:
            raise NotBase64("event_payload/base64_encoded_payload_json: is not canonical base64")
    if (encoded := payload.base64_encoded_fault_json) is not None:
        fault = decode_base64(cast("str", encoded))
        if fault is None:
            raise NotBase64("event_payload/base64_encoded_fault_json: is not canonical base64")
    derived = is_derived(event.id)
    return Row(partition, offset, received_ms, tenant, event, content, fault, derived)


class Block:
    """A block that grows; what is added is encoded at once and not kept.

    The lists name its rows: position in the log, time of receipt in ms, tenant and id.
    """

    def __init__(self) -> None:
        self.partitions: list[int] = []
        self.offsets: list[int] = []
        self.received_ms: list[int] = []
        self.tenants: list[str] = []
        self.ids: list[str] = []
        self._entries = 0  # of all maps
        self._streams: list[list[bytes]] = [[] for _, _, count in _COLUMNS for _ in range(count)]

    def add(self, rows: Sequence[Row]) -> None:
        """Append `rows`, at least one; some hundreds at once cost least: they fit the CPU's cache."""
        count = len(rows)
        events = [row.event for row in rows]
        self.partitions += (partitions := [row.partition for row in rows])
        self.offsets += (offsets := [row.offset for row in rows])
        self.received_ms += (received_ms := [row.received_ms for row in rows])
        self.tenants += (tenants := [row.tenant for row in rows])
        self.ids += (ids := [event.id for event in events])
        streams = (
            b"",  # the number of the log, known at the end
            struct.pack(f"<{count}I", *partitions),
            struct.pack(f"<{count}Q", *offsets),
            struct.pack(f"<{count}q", *received_ms),
            _uuids(ids),
            _words(tenants),
            *self._of_events(events),
            *_nullable([row.payload for row in rows]),
            *_nullable([row.fault for row in rows]),
        )
        for stream, piece in zip(self._streams, streams, strict=True):
            stream.append(piece)

    def _of_events(self, events: Sequence[EventJson]) -> Iterator[bytes]:
        payloads = [event.event_payload for event in events]
        yield _words([event.event_type for event in events])
        yield _words([event.event_source for event in events])
        yield _words([payload.operation for payload in payloads])
        entity_ids = [event.entity_id for event in events]
        own_ids = [cast("str", payload.entity_id) for payload in payloads]
        yield (encoded := _texts(entity_ids))
        yield encoded if own_ids == entity_ids else _texts(own_ids)
        names = [cast("str | None", event.entity_name) for event in events]
        yield _nulls(names)
        yield _texts([name or "" for name in names])
        attributes = [cast("dict[str, str]", payload.key_attributes) for payload in payloads]
        ends = list(itertools.accumulate(map(len, attributes), initial=self._entries))[1:]
        self._entries = ends[-1]
        yield struct.pack(f"<{len(ends)}Q", *ends)
        yield _words(list(itertools.chain.from_iterable(attributes)))
        texts = [each.values() for each in attributes]
        yield _texts(list(itertools.chain.from_iterable(texts)))

    def pieces(self, log: int) -> Iterator[bytes]:
        """The bytes of the block, which has at least one row, in pieces of about `PIECE_BYTES`.

        `log` is the number of the log that has the records.
        """
        self._streams[0] = [struct.pack("<I", log) * len(self.offsets)]
        parts = [leb128(len(_COLUMNS)), leb128(len(self.offsets))]
        size = 0
        streams = iter(self._streams)
        for name, type_, count in _COLUMNS:
            parts += (_text(name), _text(type_))
            for part in itertools.chain.from_iterable(itertools.islice(streams, count)):
                parts.append(part)
                size += len(part)
                if size >= PIECE_BYTES:
                    yield b"".join(parts)
                    parts, size = [], 0
        if parts:
            yield b"".join(parts)


def _uuids(ids: Sequence[str]) -> bytes:
    halves = struct.unpack(f">{2 * len(ids)}Q", bytes.fromhex("".join(ids).replace("-", "")))
    return struct.pack(f"<{len(halves)}Q", *halves)


def _nullable(contents: Sequence[bytes | None]) -> tuple[bytes, bytes]:
    return _nulls(contents), _strings([content or b"" for content in contents])


def _nulls(values: Sequence[object]) -> bytes:
    return bytes([value is None for value in values])


def _words(values: Sequence[str]) -> bytes:
    """Texts of which there are few different ones."""
    encoded = {value: _text(value) for value in set(values)}
    return b"".join([encoded[value] for value in values])


def _texts(values: Sequence[str]) -> bytes:
    return _strings([value.encode() for value in values])


def _strings(values: Sequence[bytes]) -> bytes:
    parts = [b""] * (2 * len(values))
    parts[::2] = [_length(len(value)) for value in values]
    parts[1::2] = values
    return b"".join(parts)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _length(len(encoded)) + encoded


def _length(number: int) -> bytes:
    return _SMALL[number] if number < len(_SMALL) else leb128(number)


_SMALL = [leb128(number) for number in range(16_384)]

"""Rows of the events table as one block in ClickHouse's Native format, column by column.

A block is its numbers of columns and rows, then each column's name, type and values. The server has
nothing to parse, and what many rows have alike is done once.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import msgspec

from contracts.encoding.codec import EventJson, decode_base64
from contracts.encoding.leb128 import leb128
from contracts.encoding.legible import search_text
from contracts.encoding.native import nulls, numbers, strings, text, texts, uuids, words
from contracts.ids import is_derived

INSERT_FORMAT = "Native"
PIECE_BYTES = 512 * 1024
"""Small enough that a piece is still in the CPU's cache when it is sent."""


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


class _Batch:
    """Rows that are added together, by column where more than one place needs them.

    `entries` is the number of key attributes that the block has before them.
    """

    def __init__(self, rows: Sequence[Row], entries: int) -> None:
        self.partitions = [row.partition for row in rows]
        self.offsets = [row.offset for row in rows]
        self.received_ms = [row.received_ms for row in rows]
        self.tenants = [row.tenant for row in rows]
        self.events = [row.event for row in rows]
        self.ids = [event.id for event in self.events]
        self.names = [cast("str | None", event.entity_name) for event in self.events]
        self.payloads = [event.event_payload for event in self.events]
        self.attributes = [cast("dict[str, str]", each.key_attributes) for each in self.payloads]
        self.ends = list(itertools.accumulate(map(len, self.attributes), initial=entries))[1:]
        self.entity_ids = [event.entity_id for event in self.events]
        self.encoded_ids = texts(self.entity_ids)
        self.contents = [row.payload for row in rows]
        self.faults = [row.fault for row in rows]

    def payload_entity_ids(self) -> bytes:
        """Mostly those of the events again."""
        ids = [cast("str", payload.entity_id) for payload in self.payloads]
        return self.encoded_ids if ids == self.entity_ids else texts(ids)


class _Column:
    """A column, and how each of the streams of bytes that its type is made of is encoded."""

    def __init__(self, name: str, type_: str, *streams: Callable[[_Batch], bytes]) -> None:
        self.name, self.type, self.streams = name, type_, streams


_LOG = "kafka_log"
_joined = itertools.chain.from_iterable
_COLUMNS = (
    _Column(_LOG, "UInt32"),  # known when the block is sent
    _Column("kafka_partition", "UInt32", lambda batch: numbers("I", batch.partitions)),
    _Column("kafka_offset", "UInt64", lambda batch: numbers("Q", batch.offsets)),
    _Column("received_at", "DateTime64(3, 'UTC')", lambda batch: numbers("q", batch.received_ms)),
    _Column("id", "UUID", lambda batch: uuids(batch.ids)),
    _Column("tenant", "String", lambda batch: words(batch.tenants)),
    _Column("event_type", "String", lambda batch: words([it.event_type for it in batch.events])),
    _Column(
        "event_source", "String", lambda batch: words([it.event_source for it in batch.events])
    ),
    _Column("operation", "String", lambda batch: words([it.operation for it in batch.payloads])),
    _Column("entity_id", "String", lambda batch: batch.encoded_ids),
    _Column("payload_entity_id", "String", _Batch.payload_entity_ids),
    _Column(
        "entity_name",
        "Nullable(String)",
        lambda batch: nulls(batch.names),
        lambda batch: texts([name or "" for name in batch.names]),
    ),
    _Column(
        "key_attributes",
        "Map(String, String)",
        lambda batch: numbers("Q", batch.ends),
        lambda batch: words(list(_joined(batch.attributes))),
        lambda batch: texts(_joined([each.values() for each in batch.attributes])),
    ),
    _Column(
        "payload",
        "Nullable(String)",
        lambda batch: nulls(batch.contents),
        lambda batch: strings([each or b"" for each in batch.contents]),
    ),
    _Column(
        "fault",
        "Nullable(String)",
        lambda batch: nulls(batch.faults),
        lambda batch: strings([each or b"" for each in batch.faults]),
    ),
    _Column(
        "search_text",
        "String",
        lambda batch: strings([*map(search_text, batch.contents, batch.faults)]),
    ),
)
INSERT_COLUMNS = tuple(column.name for column in _COLUMNS)
"""The columns of a block, in their order."""


class Block:
    """A block that grows; what is added is encoded at once and not kept.

    The lists name its rows: position in the log, time of receipt in ms, tenant and id. `size` is what it
    takes, in bytes.
    """

    columns: Sequence[str] = INSERT_COLUMNS

    def __init__(self) -> None:
        self.partitions: list[int] = []
        self.offsets: list[int] = []
        self.received_ms: list[int] = []
        self.tenants: list[str] = []
        self.ids: list[str] = []
        self.size = 0
        self._entries = 0  # of all maps
        self._streams: dict[str, list[list[bytes]]] = {
            column.name: [[] for _ in column.streams] for column in _COLUMNS
        }

    def add(self, rows: Sequence[Row]) -> None:
        """Append `rows`, at least one; some hundreds at once cost least: they fit the CPU's cache."""
        batch = _Batch(rows, self._entries)
        self.partitions += batch.partitions
        self.offsets += batch.offsets
        self.received_ms += batch.received_ms
        self.tenants += batch.tenants
        self.ids += batch.ids
        self._entries = batch.ends[-1]
        for column in _COLUMNS:
            for stream, encode in zip(self._streams[column.name], column.streams, strict=True):
                stream.append(encode(batch))
                self.size += len(stream[-1])

    def pieces(self, log: int) -> Iterator[bytes]:
        """The bytes of the block, which has at least one row, in pieces of about `PIECE_BYTES`.

        `log` is the number of the log that has the records.
        """
        streams = self._streams | {_LOG: [[numbers("I", [log]) * len(self.offsets)]]}
        parts = [leb128(len(_COLUMNS)), leb128(len(self.offsets))]
        size = 0
        for column in _COLUMNS:
            parts += (text(column.name), text(column.type))
            for part in _joined(streams[column.name]):
                parts.append(part)
                size += len(part)
                if size >= PIECE_BYTES:
                    yield b"".join(parts)
                    parts, size = [], 0
        if parts:
            yield b"".join(parts)

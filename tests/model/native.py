"""Reads what the materializer sends to ClickHouse: a block in the Native format, back to its rows."""

import itertools
import struct
import uuid
from collections.abc import Callable
from typing import Any

from contracts.encoding.block import Block, Row
from contracts.encoding.codec import EventJson, PayloadJson
from contracts.ids import is_derived


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def string(self) -> bytes:
        return self.take(self.number())

    def column(self, type_: str, count: int) -> list[Any]:
        if type_.startswith("Nullable("):
            nulls = self.take(count)
            values = self.column(type_[9:-1], count)
            return [None if null else value for null, value in zip(nulls, values, strict=True)]
        if type_ == "Map(String, String)":
            ends = [0, *struct.unpack(f"<{count}Q", self.take(8 * count))]
            names, texts = self.column("String", ends[-1]), self.column("String", ends[-1])
            pairs = [
                (name.decode(), text.decode()) for name, text in zip(names, texts, strict=True)
            ]
            return [dict(pairs[low:high]) for low, high in itertools.pairwise(ends)]
        if type_ == "String":
            return [self.string() for _ in range(count)]
        if type_ == "UUID":
            halves = struct.unpack(f"<{2 * count}Q", self.take(16 * count))
            both = zip(halves[::2], halves[1::2], strict=True)
            return [str(uuid.UUID(int=high << 64 | low)) for high, low in both]
        code = {"UInt32": "I", "UInt64": "Q", "DateTime64(3, 'UTC')": "q"}[type_]
        return list(struct.unpack(f"<{count}{code}", self.take(struct.calcsize(code) * count)))


def rows_of(block: Block, log: int) -> list[tuple[int, Row]]:
    """The rows of the block, each with the number of its log, as a server reads them."""
    reader = _Reader(b"".join(block.pieces(log)))
    width, count = reader.number(), reader.number()
    columns: dict[str, list[Any]] = {}
    for _ in range(width):
        name = reader.string().decode()
        columns[name] = reader.column(reader.string().decode(), count)
    assert reader.at == len(reader.data)
    names = list(columns)
    found = (
        dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)
    )
    return [(each["kafka_log"], _row(each)) for each in found]


def _row(told: dict[str, Any]) -> Row:
    text: Callable[[str], Any] = lambda name: told[name].decode()  # noqa: E731
    name = told["entity_name"]
    event = EventJson(
        entity_id=text("entity_id"),
        entity_name=None if name is None else name.decode(),
        event_payload=PayloadJson(
            entity_id=text("payload_entity_id"),
            key_attributes=told["key_attributes"],
            operation=text("operation"),
        ),
        event_source=text("event_source"),
        event_type=text("event_type"),
        id=told["id"],
    )
    return Row(
        told["kafka_partition"],
        told["kafka_offset"],
        told["received_at"],
        text("tenant"),
        event,
        told["payload"],
        told["fault"],
        is_derived(told["id"]),
    )

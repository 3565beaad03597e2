"""What records of the log say: rows of events, erasures of tombstones, rejects of what is neither."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from contracts.encoding.block import NotBase64, Row, row
from contracts.encoding.wire import (
    Undecodable,
    decode_erasure,
    decode_event,
    decode_tenant,
    require_time,
)
from contracts.erasures import Erasure
from processors.consume.step import LogRecord, Reject

Found = TypeVar("Found")


def slices(items: Sequence[Found], most: int) -> Iterator[Sequence[Found]]:
    """`items` in order, at most so many at once."""
    return (items[first : first + most] for first in range(0, len(items), most))


def split(
    records: Sequence[LogRecord],
) -> tuple[Sequence[LogRecord], Sequence[LogRecord]]:
    """Records with a value, events as they should be, and tombstones."""
    tombstones = [record for record in records if record.value is None]
    if not tombstones:
        return records, tombstones
    return [record for record in records if record.value is not None], tombstones


def read_erasures(tombstones: Sequence[LogRecord]) -> tuple[list[Erasure], list[Reject]]:
    """Erasures of the tombstones, rejects of those that name no event."""
    return _read(tombstones, _erasure)


def read_rows(records: Sequence[LogRecord]) -> tuple[list[Row], list[Reject]]:
    """Rows of the records, rejects of those that are no events."""
    return _read(records, _row)


def _read(
    records: Sequence[LogRecord], one: Callable[[LogRecord], Found]
) -> tuple[list[Found], list[Reject]]:
    found: list[Found] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            require_time(record.timestamp)
            found.append(one(record))
        except (Undecodable, NotBase64) as error:
            rejects.append(Reject(record, str(error)))
    return found, rejects


def _erasure(record: LogRecord) -> Erasure:
    tenant, event_id, final = decode_erasure(record.headers)
    return Erasure(tenant, event_id, record.partition, record.offset, record.timestamp, final)


def _row(record: LogRecord) -> Row:
    tenant, event = decode_tenant(record.headers), decode_event(record.value)
    return row(tenant, record.partition, record.offset, record.timestamp, event)

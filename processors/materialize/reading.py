"""What records of the log say: rows of events, erasures of tombstones, rejects of what is neither."""

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
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
CHUNK_RECORDS = 500
"""Records that are decoded and encoded before the next are: few enough for the CPU's cache."""
CHUNK_BYTES = 8 * 1024 * 1024
"""And their values, about: large events must not all be there in every form at once."""

_value = attrgetter("value")


def slices(items: Sequence[Found], most: int) -> Iterator[Sequence[Found]]:
    """`items` in order, at most so many at once."""
    return (items[first : first + most] for first in range(0, len(items), most))


def chunks(records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
    """`records` of events in order, some hundreds at once, fewer where they are large."""
    for chunk in slices(records, CHUNK_RECORDS):
        sizes = [*map(len, map(_value, chunk))]
        if sum(sizes) <= CHUNK_BYTES:
            yield chunk
        else:
            yield from slices(chunk, max(1, CHUNK_BYTES // max(sizes)))


def split(
    records: Sequence[LogRecord],
) -> tuple[Sequence[LogRecord], Sequence[LogRecord]]:
    """Records with a value, events as they should be, and tombstones."""
    if all(map(_value, records)):  # nearly always
        return records, []
    tombstones = [record for record in records if record.value is None]
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

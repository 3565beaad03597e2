"""The ClickHouse table of deliveries: a block of its rows, column by column (`contracts/encoding/block.py`).

Its DDL is `migrations/0009_deliveries.sql`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Final, NamedTuple

import msgspec

from contracts.attempts import Attempt, State
from contracts.encoding.leb128 import leb128
from contracts.encoding.native import numbers, text, texts, uuids, words
from contracts.tenants import TENANT_PATTERN

DELIVERIES_TABLE: Final = "deliveries"
DELIVERY_LOGS_TABLE: Final = "delivery_logs"
NO_EVENT: Final = "00000000-0000-0000-0000-000000000000"
DAY_MS = 24 * 60 * 60 * 1000


UUID_PATTERN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
Offset = Annotated[int, msgspec.Meta(ge=-1, le=2**63 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Storable(Attempt, kw_only=True, omit_defaults=True):
    """An attempt as the columns take it; `at` before 2200."""

    at: Annotated[int, msgspec.Meta(ge=0, lt=7_258_118_400_000)]
    tenant: Annotated[str, msgspec.Meta(pattern=TENANT_PATTERN)]
    subscription_id: Annotated[str, msgspec.Meta(pattern=rf"^{UUID_PATTERN}\Z")]
    destination: str
    state: State
    event_id: Annotated[str, msgspec.Meta(pattern=rf"^(?:{UUID_PATTERN})?\Z")] = ""
    partition: Annotated[int, msgspec.Meta(ge=-1, lt=2**31)] = -1
    offset: Offset = -1
    until: Offset = -1
    since: Annotated[int, msgspec.Meta(ge=0, lt=7_258_118_400_000)] = 0
    attempt: Count = 0
    latency_ms: Count = 0


decode_storable = msgspec.json.Decoder(Storable).decode
"""Raises `msgspec.DecodeError`."""


class AttemptRow(NamedTuple):
    """One row: its record's position in the log, and the attempt in it."""

    partition: int
    offset: int
    attempt: Attempt

    @property
    def day(self) -> int:
        """The table's partition, in days since 1970."""
        return self.attempt.at // DAY_MS


_Column = tuple[str, str, Callable[[Sequence[Attempt]], bytes]]
_COLUMNS: tuple[_Column, ...] = (
    ("tenant", "String", lambda rows: words([it.tenant for it in rows])),
    ("subscription_id", "UUID", lambda rows: uuids([it.subscription_id for it in rows])),
    ("at", "DateTime64(3, 'UTC')", lambda rows: numbers("q", [it.at for it in rows])),
    ("state", "String", lambda rows: words([it.state for it in rows])),
    ("event_id", "UUID", lambda rows: uuids([it.event_id or NO_EVENT for it in rows])),
    ("event_partition", "Int32", lambda rows: numbers("i", [it.partition for it in rows])),
    ("event_offset", "Int64", lambda rows: numbers("q", [it.offset for it in rows])),
    ("until_offset", "Int64", lambda rows: numbers("q", [it.until for it in rows])),
    ("since", "DateTime64(3, 'UTC')", lambda rows: numbers("q", [it.since for it in rows])),
    ("attempt", "UInt32", lambda rows: numbers("I", [it.attempt for it in rows])),
    ("origin", "String", lambda rows: words([it.origin for it in rows])),
    ("destination", "String", lambda rows: words([it.destination for it in rows])),
    ("latency_ms", "UInt32", lambda rows: numbers("I", [it.latency_ms for it in rows])),
    ("code", "String", lambda rows: words([it.code for it in rows])),
    ("message", "String", lambda rows: words([it.message for it in rows])),
    ("message_id", "String", lambda rows: texts([it.message_id for it in rows])),
    ("job_id", "String", lambda rows: words([it.job_id for it in rows])),
    ("exhausted", "String", lambda rows: words([it.exhausted for it in rows])),
)


class AttemptBlock:
    """A block of `rows`, at least one, all of one day."""

    columns: Sequence[str] = (
        *("kafka_log", "kafka_partition", "kafka_offset"),
        *(name for name, _, _ in _COLUMNS),
    )

    def __init__(self, rows: Sequence[AttemptRow]) -> None:
        self.partitions = [row.partition for row in rows]
        self.offsets = [row.offset for row in rows]
        self._attempts = [row.attempt for row in rows]

    def pieces(self, log: int) -> Iterator[bytes]:
        """The bytes, column by column; `log` is the number of the log that has the records."""
        count = len(self.offsets)
        yield leb128(len(self.columns)) + leb128(count)
        yield _column("kafka_log", "UInt32", numbers("I", [log]) * count)
        yield _column("kafka_partition", "UInt32", numbers("I", self.partitions))
        yield _column("kafka_offset", "UInt64", numbers("Q", self.offsets))
        for name, type_, encode in _COLUMNS:
            yield _column(name, type_, encode(self._attempts))


def _column(name: str, type_: str, values: bytes) -> bytes:
    return text(name) + text(type_) + values

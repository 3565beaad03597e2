"""ClickHouse in memory, as far as the rules need it: what it does late, in parts, or after its client died.

Rows come by inserts that go on without whoever sent them; a DELETE hides rows later, and only those that
were there when it was queued; merges drop what is hidden, keep one of a name's rows in a month and drop
what has expired. Every answer may be lost: each port pauses where its client may be stopped or killed.
"""

import itertools
import types
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

from contracts.clickhouse.table import EVENTS_TABLE, FOR_EVER_MS, month_of
from contracts.encoding.block import Name, Row
from contracts.encoding.digest import row_hash
from contracts.erasures import Erasure
from processors.upkeep.swap import FRESH_TABLE


@types.coroutine
def pause() -> Generator[None]:
    """Where whoever calls may be held up, killed, or told that the server failed."""
    yield


@dataclass(eq=False)
class Stored:
    """A row; `part` is the number of the insert that brought it."""

    log: int
    row: Row
    said: int
    part: int = 0
    hidden: bool = False

    @property
    def position(self) -> tuple[int, int, int]:
        return self.log, self.row.partition, self.row.offset

    @property
    def precedence(self) -> int:
        """As the migrations have it."""
        return self.row.received_ms


@dataclass(eq=False)
class Storage:
    """What is behind a table's name; `marked` in its comment, `keeps` what has expired."""

    rows: list[Stored] = field(default_factory=list)
    mutations: list[tuple[int, list[Erasure]]] = field(default_factory=list)
    marked: bool = False
    keeps: bool = False

    def visible(self) -> list[Stored]:
        return [each for each in self.rows if not each.hidden]


@dataclass(eq=False)
class Insert:
    """A running one: it is listed, then looks its table up, then its rows are there."""

    tag: str
    partitions: set[int]
    table: str
    rows: Callable[[Storage], list[Stored]]
    storage: Storage | None = None
    over: bool = False
    failed: bool = False


class Server:
    """The databases's state. `room`: for mutations; `at_once`: nothing is done later."""

    def __init__(self, now_ms: int, retention_ms: int | None, *, at_once: bool = False) -> None:
        self.now_ms, self.retention_ms, self.at_once = now_ms, retention_ms, at_once
        self.storages = {EVENTS_TABLE: Storage()}
        self.notes: dict[tuple[Name, int, int], tuple[Erasure, bool]] = {}
        self.logs: dict[object, int] = {}
        self.inserts: list[Insert] = []
        self.room = True
        self._parts = itertools.count(1)

    def expires_ms(self, row: Row) -> int:
        return FOR_EVER_MS if self.retention_ms is None else row.received_ms + self.retention_ms

    def expired(self, row: Row) -> bool:
        return self.expires_ms(row) <= self.now_ms

    def advance(self, insert: Insert) -> None:
        """One step of a running insert."""
        if insert.storage is None:
            insert.storage = self.storages[insert.table]
            return
        part, rows = next(self._parts), insert.rows(insert.storage)
        for each in rows:
            each.part = part
        insert.storage.rows += rows
        self.drop(insert)

    def drop(self, insert: Insert, *, failed: bool = False) -> None:
        """It is over, done or not."""
        insert.over, insert.failed = True, failed
        self.inserts.remove(insert)

    def delete(self, table: str, erasures: Sequence[Erasure]) -> None:
        """Queue a mutation."""
        self.storages[table].mutations.append((next(self._parts), list(erasures)))
        if self.at_once:
            self.mutate()

    def mutate(self) -> None:
        """Do the mutations that are queued."""
        for storage in self.storages.values():
            for part, erasures in storage.mutations:
                for each in storage.rows:
                    if each.part < part and covering(erasures, each):
                        each.hidden = True
            storage.mutations.clear()

    def merge(self, storage: Storage, *, ttl: bool) -> None:
        """Merge all that may be merged: not over a mutation that has not been done."""
        groups: dict[object, list[Stored]] = {}
        for each in storage.rows:
            if not each.hidden:
                after = sum(each.part > part for part, _ in storage.mutations)
                key = month_of(each.row.received_ms), each.row.name, after
                groups.setdefault(key, []).append(each)
        kept = [
            max(rows, key=lambda each: (each.precedence, each.part)) for rows in groups.values()
        ]
        if ttl and not storage.keeps:
            kept = [each for each in kept if not self.expired(each.row)]
        storage.rows = kept

    def get(self, name: Name) -> Stored | None:
        """What GET answers."""
        if any(noted == name and each.final for (noted, *_), (each, _) in self.notes.items()):
            return None
        rows = [each for each in self.storages[EVENTS_TABLE].visible() if each.row.name == name]
        return max(rows, key=lambda each: each.precedence, default=None)

    def exchange(self) -> None:
        """Swap the two tables."""
        used, fresh = self.storages[EVENTS_TABLE], self.storages[FRESH_TABLE]
        self.storages |= {EVENTS_TABLE: fresh, FRESH_TABLE: used}


def stored(rows: Iterable[tuple[int, Row]]) -> list[Stored]:
    """Rows as they lie in a table."""
    return [Stored(log, row, row_hash(row)) for log, row in rows]


def covering(erasures: Iterable[Erasure], each: Stored) -> list[Erasure]:
    """Those of `erasures` that take the row away."""
    row = each.row
    return [
        erasure
        for erasure in erasures
        if erasure.name == row.name
        and erasure.seen_from(each.log).covers(row.partition, row.offset, row.received_ms)
    ]

"""One fake per port; each passes the suite that the real thing passes (tests/adapters)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.clickhouse.deliveries import AttemptBlock
from contracts.clickhouse.table import FOR_EVER_MS
from contracts.encoding.block import Block, Name
from contracts.erasures import Erasure
from contracts.ids import is_derived
from processors.consume.step import Transient
from processors.materialize.names import NamesFilter
from processors.materialize.repeats import Shown


@dataclass
class FakeRecord:
    """A Kafka record."""

    value: bytes | None
    partition: int = 0
    offset: int = 0
    headers: Sequence[tuple[str, bytes | None]] = (("ce_tenant", b"acme"),)
    timestamp: int = 1_790_000_000_000
    topic: str = "events"
    key: bytes | None = b"acme:1"


class FakeRow(NamedTuple):
    """What the table in memory keeps of a row."""

    received_ms: int
    name: Name
    position: tuple[int, int]


class FakePositions:
    """What a table in memory says of the positions that it has."""

    waited_for: list[set[int]]

    @property
    def stored(self) -> list[tuple[int, int]]:
        """The positions of the rows, in the order of their inserts."""
        raise NotImplementedError

    async def wait_for_inserts(self, partitions: Collection[int]) -> None:
        """See `Rows`."""
        self.waited_for.append(set(partitions))

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """See `Rows`."""
        return {
            number: max((offset for part, offset in self.stored if part == number), default=-1)
            for number in partitions
        }

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """See `Rows`."""
        return {
            (number, offset)
            for number, offset in self.stored
            if number in spans and spans[number][0] <= offset <= spans[number][1]
        }


@dataclass
class FakeDeliveries(FakePositions):
    """The ledger's table in memory; `fail_before` and `fail_after` as in `FakeRows`."""

    waited_for: list[set[int]] = field(default_factory=list)
    blocks: list[AttemptBlock] = field(default_factory=list)
    fail_before: int = 0
    fail_after: int = 0

    @property
    def stored(self) -> list[tuple[int, int]]:
        """The positions of the rows, in the order of their inserts."""
        return [
            position
            for block in self.blocks
            for position in zip(block.partitions, block.offsets, strict=True)
        ]

    async def insert(self, block: AttemptBlock) -> None:
        """See `Table`."""
        if self.fail_before:
            self.fail_before -= 1
            raise Transient("refused")
        self.blocks.append(block)
        if self.fail_after:
            self.fail_after -= 1
            raise Transient("the answer was lost")


@dataclass
class FakeRows(FakePositions):
    """The table in memory. `fail_before` and `fail_after` inserts: refused, or stored and then lost.

    `fail_erasing` erasures are noted, and nothing is taken away. `retention_ms` is its TTL; `looked_up`
    the names that were looked up, `bytes_inserted` each insert's.
    """

    rows: list[FakeRow] = field(default_factory=list)
    inserts: int = 0
    waited_for: list[set[int]] = field(default_factory=list)
    fail_before: int = 0
    fail_after: int = 0
    erasures: list[Erasure] = field(default_factory=list)
    fail_erasing: int = 0
    retention_ms: int | None = None
    looked_up: list[Name] = field(default_factory=list)
    bytes_inserted: list[int] = field(default_factory=list)

    @property
    def stored(self) -> list[tuple[int, int]]:
        """The positions of the rows, in the order of their inserts."""
        return [row.position for row in self.rows]

    async def insert(self, block: Block) -> None:
        """See `Rows`."""
        if self.fail_before:
            self.fail_before -= 1
            raise Transient("refused")
        self.inserts += 1
        self.bytes_inserted.append(sum(map(len, block.pieces(0))))
        positions = zip(block.partitions, block.offsets, strict=True)
        names = zip(block.tenants, block.ids, strict=True)
        self.rows += map(FakeRow, block.received_ms, names, positions)
        if self.fail_after:
            self.fail_after -= 1
            raise Transient("the answer was lost")

    async def filter(self) -> NamesFilter:
        """See `Rows`."""
        names = NamesFilter()
        named = {*(row.name for row in self.rows), *(each.name for each in self.erasures)}
        names.add_all(event_id for _, event_id in named if is_derived(event_id))
        return names

    async def shown(self, names: Sequence[Name]) -> dict[Name, list[Shown]]:
        """See `Rows`."""
        self.looked_up += names
        found: dict[Name, list[Shown]] = {}
        for row in self.rows:
            if row.name in names:
                its = Shown(True, *row.position, row.received_ms, self._expires_ms(row))
                found.setdefault(row.name, []).append(its)
        return found

    def _expires_ms(self, row: FakeRow) -> int:
        return FOR_EVER_MS if self.retention_ms is None else row.received_ms + self.retention_ms

    async def erased(self, names: Sequence[Name]) -> list[Erasure]:
        """See `Rows`."""
        return [each for each in self.erasures if each.name in names]

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """See `Rows`."""
        self.erasures += erasures
        if self.fail_erasing:
            self.fail_erasing -= 1
            raise Transient("noted, not erased")
        gone = {
            row.position
            for row in self.rows
            for each in erasures
            if each.name == row.name and each.covers(*row.position, row.received_ms)
        }
        self.rows = [row for row in self.rows if row.position not in gone]

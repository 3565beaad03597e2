"""One fake per port; each passes the suite that the real thing passes (tests/adapters)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.block import Block
from contracts.erasures import Erasure
from contracts.ids import DERIVED, VERSION_AT
from processors.step import Transient


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
    name: tuple[str, str]
    position: tuple[int, int]


@dataclass
class FakeRows:
    """The table in memory. `fail_before` and `fail_after` inserts: refused, or stored and then lost.

    `fail_erasing` erasures are noted, and nothing is taken away.
    """

    stored: list[tuple[int, int]] = field(default_factory=list)
    rows: list[FakeRow] = field(default_factory=list)
    inserts: int = 0
    settled: list[set[int]] = field(default_factory=list)
    fail_before: int = 0
    fail_after: int = 0
    erasures: list[Erasure] = field(default_factory=list)
    fail_erasing: int = 0

    async def insert(self, block: Block) -> None:
        """See `Rows`."""
        if self.fail_before:
            self.fail_before -= 1
            raise Transient("refused")
        self.inserts += 1
        positions = list(zip(block.partitions, block.offsets, strict=True))
        self.stored += positions
        names = zip(block.tenants, block.ids, strict=True)
        self.rows += map(FakeRow, block.received_ms, names, positions)
        if self.fail_after:
            self.fail_after -= 1
            raise Transient("the answer was lost")

    async def settle(self, partitions: Collection[int]) -> None:
        """See `Rows`."""
        self.settled.append(set(partitions))

    async def high_water(self, partitions: Collection[int]) -> dict[int, int]:
        """See `Rows`."""
        return {
            number: max((offset for part, offset in self.stored if part == number), default=-1)
            for number in partitions
        }

    async def names(self, since_ms: int, count: int) -> list[tuple[str, str]]:
        """See `Rows`."""
        recent = sorted(
            row
            for row in self.rows
            if row.name[1][VERSION_AT] == DERIVED and row.received_ms >= since_ms
        )
        return [row.name for row in recent[-count:]]

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
        self.stored = [position for position in self.stored if position not in gone]

    async def catch_up(self) -> None:
        """See `Rows`."""

    async def erased(self, count: int) -> list[Erasure]:
        """See `Rows`."""
        named = {each for each in self.erasures if each.event_id[VERSION_AT] == DERIVED}
        return sorted(named, key=lambda each: each.erased_ms)[-count:]

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """See `Rows`."""
        return {
            (number, offset)
            for number, offset in self.stored
            if number in spans and spans[number][0] <= offset <= spans[number][1]
        }

"""One fake per port; each passes the suite that the real thing passes (tests/adapters)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from contracts.erasures import Erasure
from contracts.ids import DERIVED, VERSION_AT
from contracts.row import identity
from processors.materialize import Row
from processors.step import Transient


@dataclass
class FakeRecord:
    """A Kafka record."""

    value: bytes | None
    partition: int = 0
    offset: int = 0
    headers: Sequence[tuple[str, bytes]] = (("ce_tenant", b"acme"),)
    timestamp: int = 1_790_000_000_000
    topic: str = "events"
    key: bytes | None = b"acme:1"


@dataclass
class FakeRows:
    """The table in memory. `fail_before` and `fail_after` inserts: refused, or stored and then lost.

    `fail_erasing` erasures are noted, and nothing is taken away.
    """

    stored: list[tuple[int, int]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    inserts: int = 0
    settled: list[set[int]] = field(default_factory=list)
    fail_before: int = 0
    fail_after: int = 0
    erasures: list[Erasure] = field(default_factory=list)
    fail_erasing: int = 0

    async def insert(self, rows: Sequence[Row]) -> None:
        """See `Rows`."""
        if self.fail_before:
            self.fail_before -= 1
            raise Transient("refused")
        self.inserts += 1
        self.rows += rows
        self.stored += [(row.partition, row.offset) for row in rows]
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
            (row.received_ms, row.name)
            for row in self.rows
            if row.name is not None and row.received_ms >= since_ms
        )
        return [name for _, name in recent[-count:] if name is not None]

    async def erase(self, erasures: Sequence[Erasure]) -> None:
        """See `Rows`."""
        self.erasures += erasures
        if self.fail_erasing:
            self.fail_erasing -= 1
            raise Transient("noted, not erased")
        gone = {
            (row.partition, row.offset)
            for row in self.rows
            for each in erasures
            if each.name == identity(row.data)
            and each.covers(row.partition, row.offset, row.received_ms)
        }
        self.rows = [row for row in self.rows if (row.partition, row.offset) not in gone]
        self.stored = [position for position in self.stored if position not in gone]

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

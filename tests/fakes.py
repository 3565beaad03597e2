"""One fake per port; each passes the suite that the real thing passes (tests/adapters)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from contracts.block import Block
from contracts.ids import DERIVED, VERSION_AT
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
    """The table in memory. `fail_before` and `fail_after` inserts: refused, or stored and then lost."""

    stored: list[tuple[int, int]] = field(default_factory=list)
    named: list[tuple[int, tuple[str, str]]] = field(default_factory=list)  # received when
    inserts: int = 0
    settled: list[set[int]] = field(default_factory=list)
    fail_before: int = 0
    fail_after: int = 0

    async def insert(self, block: Block) -> None:
        """See `Rows`."""
        if self.fail_before:
            self.fail_before -= 1
            raise Transient("refused")
        self.inserts += 1
        self.stored += zip(block.partitions, block.offsets, strict=True)
        self.named += [
            (received_ms, (tenant, id_))
            for received_ms, tenant, id_ in zip(
                block.received_ms, block.tenants, block.ids, strict=True
            )
            if id_[VERSION_AT] == DERIVED
        ]
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
        recent = sorted(each for each in self.named if each[0] >= since_ms)
        return [name for _, name in recent[-count:]]

    async def present(self, spans: dict[int, tuple[int, int]]) -> set[tuple[int, int]]:
        """See `Rows`."""
        return {
            (number, offset)
            for number, offset in self.stored
            if number in spans and spans[number][0] <= offset <= spans[number][1]
        }

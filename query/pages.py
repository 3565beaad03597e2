"""Pages of searches: a few run at once, so that they leave room for GET by id, and each ends in time."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from contracts.clickhouse.search import Counts, Position, Statistics
from contracts.criteria import Criteria
from contracts.filters import Filter
from query.cursor import Rest
from query.scan import Limits, Paused, Scan, Select, Stopped, TooBroad, TooSlow
from query.sizes import Sizes
from query.slots import Slots
from query.windows import is_broad

PAGE_BYTES = 8_000_000
"""A page ends with the event that reaches this size."""
GRACE_S = 1.0
"""After its deadline a query that ClickHouse has not stopped is given up."""
Answer = TypeVar("Answer")


class Page(NamedTuple):
    """Representations, newest first, and what remains of the search; None when nothing does.

    `received_ms` is when each was received, `took` what ClickHouse did to find them.
    """

    events: list[bytes]
    rest: Rest | None
    received_ms: Sequence[int]
    took: Statistics


class Pages:
    """Finds pages, as many at once as there are `slots`."""

    def __init__(self, select: Select, database: str, limits: Limits, slots: Slots) -> None:
        self._select = select
        self._database = database
        self._limits = limits
        self._slots = slots
        self._sizes = Sizes()

    async def find(
        self,
        tenant: str,
        criteria: Criteria,
        rest: Rest,
        count: int,
        filter_: Filter | None = None,
    ) -> Page:
        """The next page of at most `count` events.

        Raises `TooManySearches`, `TooBroad`, `TooSlow` and `ClickHouseFailed`.
        """
        async with self._slots.taken(tenant):
            scan = self._scan(tenant, criteria, filter_)
            try:
                async with asyncio.timeout(self._limits.timeout_s + GRACE_S):
                    found = scan.newest_first(rest, count, pausing=True)
                    return await _fill(found, rest, count, scan.took)
            except TimeoutError:
                raise TooSlow(rest.position) from None

    async def count(
        self, tenant: str, filter_: Filter, rest: Rest, samples: int
    ) -> tuple[Counts, Page]:
        """How many events of `rest` the filter accepts, and the newest of them. Raises as `find` does.

        Of a short range it counts whatever that holds.
        """
        count = partial(self._count, tenant, filter_, rest, samples)
        is_short = not is_broad(rest.from_ms, rest.position.received_ms)
        return await within(self._limits.rows_max, count, self._slots, tenant, is_short=is_short)

    async def _count(
        self, tenant: str, filter_: Filter, rest: Rest, samples: int, rows_max: int
    ) -> tuple[Counts, Page]:
        async with self._slots.taken(tenant):
            scan = self._scan(tenant, Criteria(), filter_)
            try:
                async with asyncio.timeout(self._limits.timeout_s + GRACE_S):
                    to_ms = rest.position.received_ms
                    counts = await scan.count(filter_, rest.from_ms, to_ms, rows_max)
                    if not counts.matched:
                        return counts, Page([], None, (), scan.took)
                    found = scan.newest_first(rest, samples)
                    return counts, await _fill(found, rest, samples, scan.took)
            except TimeoutError:
                raise TooSlow(rest.position) from None

    def _scan(self, tenant: str, criteria: Criteria, filter_: Filter | None) -> Scan:
        known = (self._select, self._database, self._limits, self._sizes)
        return Scan(*known, tenant, criteria, filter_)


async def within(
    rows_max: int,
    ask: Callable[[int], Awaitable[Answer]],
    slots: Slots,
    tenant: str,
    *,
    is_short: bool,
) -> Answer:
    """What `ask` answers that is told how many rows it may read, 0: all, in the same time.

    Of a short range it may read all where it was refused; few of those run at once.

    Raises `TooManySearches`, `TooBroad`, and what `ask` raises.
    """
    try:
        return await ask(rows_max)
    except TooBroad:
        if not is_short:
            raise
    async with slots.long.taken(tenant):
        return await ask(0)


async def _fill(
    found: AsyncGenerator[tuple[Position, bytes], None], rest: Rest, count: int, took: Statistics
) -> Page:
    events: list[bytes] = []
    received_ms: list[int] = []
    size = 0
    try:
        async with contextlib.aclosing(found):
            async for position, representation in found:
                events.append(representation)
                received_ms.append(position.received_ms)
                size += len(representation)
                if len(events) == count or size >= PAGE_BYTES:
                    window_ms = rest.position.received_ms - position.received_ms
                    behind = rest.after(position, window_ms * 3 // 2)  # as many, and some to spare
                    return Page(events, behind, received_ms, took)
    except Paused as paused:
        return Page(events, rest.after(paused.position, paused.window_ms), received_ms, took)
    except Stopped as stopped:
        if not events:
            raise
        return Page(events, rest.after(stopped.position, 0), received_ms, took)
    return Page(events, None, received_ms, took)

"""A search's events, newest first, read from ClickHouse at a bounded cost.

The range is read in windows (`windows.py`). A search that has used its share of time ends there, so that
others get their turn. ClickHouse refuses a window with too many rows, which is then made smaller, and
stops a slow one.
"""

import time
from collections.abc import AsyncGenerator, Awaitable
from typing import Any, NamedTuple, Protocol

from contracts.clickhouse.search import (
    TOO_MANY_ROWS,
    TOO_SLOW,
    Counts,
    Position,
    Statistics,
    position_of,
    read_counts,
    read_limits,
    read_newest,
    read_standing,
    select_counts,
    select_newest,
    select_standing,
)
from contracts.clickhouse.table import StoredEvent
from contracts.criteria import Criteria
from contracts.encoding.codec import represent
from contracts.filters import Filter
from query.cursor import Rest
from query.sizes import Sizes
from query.windows import Windows
from service.clickhouse import ClickHouseFailed

PAGE_SHARE = 1 / 5
"""Of a search's deadline: after which its page ends."""


class Select(Protocol):
    """Runs one query with parameters and settings, returns the raw answer. Raises `ClickHouseFailed`."""

    def __call__(
        self, sql: str, parameters: dict[str, Any] | None, settings: dict[str, Any]
    ) -> Awaitable[bytes]:
        """The answer's bytes in the format that the query names."""


class Stopped(Exception):
    """ClickHouse stopped the query for what comes before `position`."""

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position


class TooBroad(Stopped):
    """It would have read too many rows."""


class TooSlow(Stopped):
    """It took too long."""


class Paused(Stopped):
    """It has used its share of the time; what comes before `position` is for the next page.

    That may look at `window_ms` first; 0 where nothing is known.
    """

    def __init__(self, position: Position, window_ms: int = 0) -> None:
        super().__init__(position)
        self.window_ms = window_ms


class Limits(NamedTuple):
    """Of one search: rows that a query may read, seconds for all of them, threads of each query."""

    rows_max: int
    timeout_s: float
    threads: int


class Scan:
    """The matching events of one search; `took` is what its queries did so far."""

    def __init__(
        self,
        select: Select,
        database: str,
        limits: Limits,
        sizes: Sizes,
        tenant: str,
        criteria: Criteria,
        filter_: Filter | None = None,
    ) -> None:
        self._run = select
        self._database = database
        self._limits = limits
        self._tenant = tenant
        self._criteria = criteria
        self._filter = filter_
        self._sizes = sizes
        self._deadline_s = time.monotonic() + limits.timeout_s
        self.took = Statistics()

    async def newest_first(
        self, rest: Rest, count: int, *, pausing: bool = False
    ) -> AsyncGenerator[tuple[Position, bytes], None]:
        """Every event of `rest` with its position; raises `Stopped` where ClickHouse stopped it.

        With `pausing` it ends at `Paused` after its share of the time, or where it was stopped, if it has
        come further than it began: what is asked again must not end where it ended before.
        """
        limits, end, position, left = self._limits, Position(rest.from_ms), rest.position, count
        windows = Windows(rest, limits.rows_max, limits.timeout_s, is_indexed=self._is_indexed())
        pause_s = time.monotonic() + limits.timeout_s * PAGE_SHARE
        while position > end:
            began_s, read = time.monotonic(), self.took.rows_read
            may_pause = pausing and position < rest.position
            if may_pause and began_s > pause_s:
                raise Paused(position, windows.next_ms)
            from_ms = windows.start(position.received_ms)
            rows = self._sizes.rows(self._tenant, left)
            bounds = windows.rows_max, windows.time_share
            try:
                found = await self._newest(from_ms, position, rows, *bounds)
                standing = await self._standing(position, found)
            except (TooBroad, TooSlow) as stopped:
                if windows.shrink(is_slow=isinstance(stopped, TooSlow)):
                    continue
                if may_pause:
                    raise Paused(position) from None
                raise
            for each, representation in standing:
                yield each, representation
            left -= len(standing)
            if len(found) == rows:
                position = position_of(found[-1])
            else:
                position = Position(from_ms)
                took_s, read = time.monotonic() - began_s, self.took.rows_read - read
                windows.grow(from_ms, took_s, read, len(found), left)

    def _is_indexed(self) -> bool:
        return self._criteria.entity_id is not None or any(self._criteria.key_attributes.values())

    async def count(self, filter_: Filter, from_ms: int, to_ms: int, rows_max: int) -> Counts:
        """How many events of [from_ms, to_ms) there are, and match; raises `Stopped`."""
        query = select_counts(self._database, self._tenant, filter_, from_ms, to_ms)
        answer = await self._select(
            Position(to_ms), *query, rows_max=rows_max, threads=self._limits.threads
        )
        counts, took = read_counts(answer)
        self.took.add(took)
        return counts

    async def _newest(
        self, from_ms: int, before: Position, rows: int, rows_max: int, share: float
    ) -> list[StoredEvent]:
        """The newest matching rows of [from_ms, before), at most `rows`, in a share of the time left."""
        place = (self._database, self._tenant, self._criteria, from_ms, before, rows, self._filter)
        bounds: dict[str, Any] = {"rows_max": rows_max, "share": share}
        bounds |= {"threads": self._limits.threads}
        answer = await self._select(before, *select_newest(*place), **bounds)
        found, took = read_newest(answer)
        self.took.add(took)
        if found:
            self._sizes.note(self._tenant, len(found), len(answer))
        return found

    async def _standing(
        self, at: Position, found: list[StoredEvent]
    ) -> list[tuple[Position, bytes]]:
        """Those events as GET answers them, once; not those whose row gives way to another one."""
        if not found:
            return []
        query = select_standing(self._database, self._tenant, found)
        standing, took = read_standing(await self._select(at, *query))
        self.took.add(took)
        rows: dict[Position, StoredEvent] = {}
        for each in found:
            rows.setdefault(position_of(each), each)
        return [
            (position, represent(row.event()))
            for position, row in rows.items()
            if row.id not in standing or standing[row.id] == int(row.precedence)
        ]

    async def _select(
        self,
        at: Position,
        sql: str,
        parameters: dict[str, Any],
        *,
        rows_max: int = 0,
        share: float = 1.0,
        threads: int = 1,  # of few rows more cost more than they save
    ) -> bytes:
        """Run a query that must end by the deadline; without `rows_max` that is its only bound."""
        seconds = (self._deadline_s - time.monotonic()) * share
        if seconds <= 0.001:  # 0 would mean no limit to ClickHouse
            raise TooSlow(at)
        settings = read_limits(rows_max, seconds, threads)
        try:
            return await self._run(sql, parameters, settings)
        except ClickHouseFailed as error:
            if error.code in TOO_MANY_ROWS:
                raise TooBroad(at) from error
            if error.code in TOO_SLOW:
                raise TooSlow(at) from error
            raise

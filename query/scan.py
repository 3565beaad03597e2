"""A search's events, newest first, read from ClickHouse at a bounded cost.

The range is read in windows that begin at its end and grow, so that whoever wants recent events
never reads old ones; what an index finds is looked for in large windows at once. They grow as far as
the time that the last one took allows, and a search that has used its share of time ends there, so that
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
from service.clickhouse import ClickHouseFailed

FIRST_WINDOW_MS = 4 * 60 * 1000
INDEXED_WINDOW_MS = 24 * 60 * 60 * 1000
"""Where an index says which rows have the value."""
AGE_SHARE = 8
"""A window is at least this part of the time since then: years are not looked at minute by minute."""
GROWTH = 128
"""At most: each window reads anew what lies in no order of time."""
GROWTH_MIN = 16
QUERY_S = 0.01
"""What a query takes that reads nothing: no reason to grow less."""
REST_SHARE = 1 / 3
"""A window that would reach so much of what is left takes all of it, as each reads some rows anew."""
PAGE_SHARE, WINDOW_SHARE = 1 / 5, 1 / 10
"""Of a search's deadline: after which its page ends, and what the next window may take."""
ROWS_MIN = 50
"""Rows that a query asks for at least: repeats are left out, and must not make it a query each. At
first not more, for events may have a megabyte each."""
ANSWER_BYTES = 16_000_000
"""What the next query may answer if its rows are as large as those before."""


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
    """It has used its share of the time; what comes before `position` is for the next page."""


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
        self._deadline_s = time.monotonic() + limits.timeout_s
        self.took = Statistics()

    async def newest_first(
        self, rest: Rest, count: int, *, pausing: bool = False
    ) -> AsyncGenerator[tuple[Position, bytes], None]:
        """Every event of `rest` with its position; raises `Stopped` where ClickHouse stopped it.

        With `pausing` it may end at `Paused` after its share of the time.
        """
        criteria = self._criteria
        is_indexed = criteria.entity_id is not None or any(criteria.key_attributes.values())
        end, position = Position(rest.from_ms), rest.position
        age_ms = time.time_ns() // 1_000_000 - position.received_ms
        first_ms = INDEXED_WINDOW_MS if is_indexed else FIRST_WINDOW_MS
        rows, window_ms = ROWS_MIN, max(first_ms, age_ms // AGE_SHARE)
        pause_s = time.monotonic() + self._limits.timeout_s * PAGE_SHARE
        while position > end:
            began_s = time.monotonic()
            if pausing and began_s > pause_s:
                raise Paused(position)
            from_ms = max(rest.from_ms, position.received_ms - window_ms)
            query = select_newest(
                *(self._database, self._tenant, criteria, from_ms, position, rows, self._filter)
            )
            try:
                answer = await self._select(position, *query, self._limits.rows_max)
            except TooBroad:
                if window_ms <= FIRST_WINDOW_MS:
                    raise
                window_ms = max(window_ms // GROWTH, FIRST_WINDOW_MS)
                continue
            found, took = read_newest(answer)
            self.took.add(took)
            for each, representation in await self._standing(position, found):
                yield each, representation
            if len(found) == rows:
                position = position_of(found[-1])
                rows = max(ROWS_MIN, min(count, rows * ANSWER_BYTES // len(answer)))
            else:
                position = Position(from_ms)
                took_s = max(time.monotonic() - began_s - QUERY_S, QUERY_S / 10)
                growth = self._limits.timeout_s * WINDOW_SHARE / took_s
                window_ms = round(window_ms * min(max(growth, GROWTH_MIN), GROWTH))
                left_ms = from_ms - rest.from_ms
                window_ms = left_ms if window_ms > left_ms * REST_SHARE else window_ms

    async def count(self, filter_: Filter, from_ms: int, to_ms: int) -> Counts:
        """How many events of [from_ms, to_ms) there are, and match; raises `Stopped`."""
        query = select_counts(self._database, self._tenant, filter_, from_ms, to_ms)
        answer = await self._select(Position(to_ms), *query, self._limits.rows_max)
        counts, took = read_counts(answer)
        self.took.add(took)
        return counts

    async def _standing(
        self, at: Position, found: list[StoredEvent]
    ) -> list[tuple[Position, bytes]]:
        """Those events as GET answers them, once; not those whose row gives way to another one."""
        if not found:
            return []
        query = select_standing(self._database, self._tenant, found)
        standing, took = read_standing(await self._select(at, query))
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
        self, at: Position, sql: str, parameters: dict[str, Any] | None = None, rows_max: int = 0
    ) -> bytes:
        """Run a query that must end by the deadline; one that names its ids needs no `rows_max`."""
        seconds = self._deadline_s - time.monotonic()
        if seconds <= 0.001:  # 0 would mean no limit to ClickHouse
            raise TooSlow(at)
        settings = read_limits(rows_max, seconds, self._limits.threads)
        try:
            return await self._run(sql, parameters, settings)
        except ClickHouseFailed as error:
            if error.code in TOO_MANY_ROWS:
                raise TooBroad(at) from error
            if error.code in TOO_SLOW:
                raise TooSlow(at) from error
            raise

"""Queries of ClickHouse under the limits of a search: a few at once, each in time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from contracts.clickhouse.ledger import UNQUOTED, Query
from contracts.clickhouse.search import TOO_MANY_ROWS, TOO_SLOW, Position, read_limits
from query.pages import GRACE_S, within
from query.scan import Limits, Select, TooBroad, TooSlow
from query.slots import Slots
from query.windows import is_broad
from service.clickhouse import ClickHouseFailed

Ask = Callable[[Query], Awaitable[bytes]]
"""The answer to a query; raises as `BoundedQueries` does."""


class BoundedQueries:
    """Runs them."""

    def __init__(self, select: Select, limits: Limits, slots: Slots) -> None:
        self._run = select
        self._limits = limits
        self._slots = slots

    def over(self, from_ms: int, to_ms: int) -> Ask:
        """For queries of events of [from_ms, to_ms): a short range is read whatever it holds."""
        return partial(self, is_short=not is_broad(from_ms, to_ms))

    async def __call__(
        self,
        query: Query,
        at: Position | None = None,
        *,
        is_bounded: bool = True,
        is_short: bool = False,
    ) -> bytes:
        """The answer; `at` is where a search stands that is refused.

        One that is not bounded may read every row of the tenant, in the same time, as may a short one.

        Raises `TooManySearches`, `Stopped` and `ClickHouseFailed`.
        """
        ask = partial(self._asked, query, at or Position(time.time_ns() // 1_000_000))
        rows_max = self._limits.rows_max if is_bounded else 0
        return await within(rows_max, ask, self._slots, query[1]["tenant"], is_short=is_short)

    async def _asked(self, query: Query, stands: Position, rows_max: int) -> bytes:
        limits = self._limits
        settings: dict[str, Any] = read_limits(rows_max, limits.timeout_s, limits.threads)
        async with self._slots.taken(query[1]["tenant"]):
            try:
                async with asyncio.timeout(limits.timeout_s + GRACE_S):
                    return await self._run(*query, settings | UNQUOTED)
            except TimeoutError:
                raise TooSlow(stands) from None
            except ClickHouseFailed as error:
                if error.code in TOO_MANY_ROWS:
                    raise TooBroad(stands) from error
                if error.code in TOO_SLOW:
                    raise TooSlow(stands) from error
                raise

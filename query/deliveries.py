"""The ledger in ClickHouse, asked under the limits of a search: a few queries at once, each in time."""

import asyncio
import time
from typing import Any, NamedTuple

from contracts.clickhouse.ledger import (
    UNQUOTED,
    Place,
    Query,
    StoredAttempt,
    StoredHealth,
    read_attempts,
    read_health,
    read_newest,
    select_attempts,
    select_deliveries,
    select_health,
    select_newest,
)
from contracts.clickhouse.search import TOO_MANY_ROWS, TOO_SLOW, Position, read_limits
from contracts.ledger import DeliveryCriteria
from query.cursor import Rest
from query.pages import GRACE_S, Slots
from query.scan import Limits, Select, TooBroad, TooSlow
from service.clickhouse import ClickHouseFailed

READ_FOR_ONE = 10
"""Attempts that a page reads for each delivery that it may show: one may have failed often."""


class DeliveriesFound(NamedTuple):
    """Each delivery's newest attempt, newest first, and what remains; None when nothing does."""

    attempts: list[StoredAttempt]
    rest: Rest | None


class Deliveries:
    """Asks the ledger. Every method raises `TooManySearches`, `Stopped` and `ClickHouseFailed`."""

    def __init__(self, select: Select, database: str, limits: Limits, slots: Slots) -> None:
        self._run = select
        self._database = database
        self._limits = limits
        self._slots = slots

    async def of_event(self, tenant: str, event_id: str) -> list[StoredAttempt]:
        """Its attempts and the ranges that ended it, cancelled or lost, in the order of time."""
        query = select_attempts(self._database, tenant, event_id)
        return read_attempts(await self._ask(query))

    async def health(self, tenant: str, subscription_id: str) -> StoredHealth | None:
        """How the subscription's queue does; None when the ledger knows nothing of it."""
        return read_health(await self._ask(select_health(self._database, tenant, subscription_id)))

    async def page(
        self, tenant: str, subscription_id: str, criteria: DeliveryCriteria, rest: Rest, count: int
    ) -> DeliveriesFound:
        """The next deliveries of a subscription, at most `count`; there may be fewer, or none."""
        read = count * READ_FOR_ONE
        before = rest.position
        place = (self._database, tenant, subscription_id)
        query = select_deliveries(*place, criteria, rest.from_ms, before, read)
        seen = read_attempts(await self._ask(query, before))
        named = [each for each in seen if not each.is_range]
        newest: dict[str, Place] = {}
        if named:
            newest = read_newest(await self._ask(select_newest(*place, named), before))
        found = [each for each in seen if each.is_range or newest.get(each.event) == each.place]
        if len(found) > count:
            last = found[count - 1]
        elif len(seen) == read:
            last = seen[-1]
        else:
            return DeliveriesFound(found, None)
        return DeliveriesFound(found[:count], Rest(rest.from_ms, last.place.at(last.at_ms)))

    async def _ask(self, query: Query, at: Position | None = None) -> bytes:
        """The answer; `at` is where a search stands that is refused."""
        limits, stands = self._limits, at or Position(time.time_ns() // 1_000_000)
        settings: dict[str, Any] = read_limits(limits.rows_max, limits.timeout_s, limits.threads)
        async with self._slots.taken():
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

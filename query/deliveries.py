"""The ledger in ClickHouse, asked under the limits of a search."""

from typing import NamedTuple

from contracts.clickhouse.ledger import (
    Place,
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
from contracts.ledger import DeliveryCriteria
from query.bounded import BoundedQueries
from query.cursor import Rest

READ_FOR_ONE = 10
"""Attempts that a page reads for each delivery that it may show: one may have failed often."""


class DeliveriesFound(NamedTuple):
    """Each delivery's newest attempt or all asked for, newest first, and what remains; None for nothing."""

    attempts: list[StoredAttempt]
    rest: Rest | None


class Deliveries:
    """Asks the ledger. Every method raises `TooManySearches`, `Stopped` and `ClickHouseFailed`."""

    def __init__(self, ask: BoundedQueries, database: str) -> None:
        self._ask = ask
        self._database = database

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
        read = count + 1 if criteria.attempts else count * READ_FOR_ONE
        before = rest.position
        place = (self._database, tenant, subscription_id)
        query = select_deliveries(*place, criteria, rest.from_ms, before, read)
        seen = read_attempts(await self._ask(query, before))
        found = seen
        if not criteria.attempts:
            newest: dict[str, Place] = {}
            if named := [each for each in seen if not each.is_range]:
                newest = read_newest(await self._ask(select_newest(*place, named), before))
            found = [each for each in seen if each.is_range or newest.get(each.event) == each.place]
        if len(found) > count:
            last = found[count - 1]
        elif len(seen) == read:
            last = seen[-1]
        else:
            return DeliveriesFound(found, None)
        return DeliveriesFound(found[:count], Rest(rest.from_ms, last.place.at(last.at_ms)))

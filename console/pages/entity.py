"""What the entity of an event went through around it."""

import asyncio
from typing import NamedTuple

from console.page import Page
from console.reading.seen import Seen
from console.reading.seen import seen as seen_in
from contracts import paths
from contracts.criteria import rfc_3339

AROUND = 8
NEWEST = 100
"""Events of the entity that are shown before this one, and after."""
AFTER_MS = 24 * 3_600_000
BEFORE_MS = 30 * AFTER_MS


class Around(NamedTuple):
    """What the entity went through: events before and after the one that was received then."""

    received_ms: int | None
    before: list[Seen]
    after: list[Seen]


async def around_of(page: Page, event: Seen) -> Around:
    """The entity's events before it, and within a day after, all newest first."""
    if event.received_ms is None:  # its id holds no time: it is among the newest, or not found
        newest = await entity_events(page, event, page.now_ms - BEFORE_MS, page.now_ms, NEWEST)
        at = next((n for n, each in enumerate(newest) if each.id == event.id), None)
        if at is None:
            return Around(None, newest[:AROUND], [])
        after = newest[max(at - AROUND, 0) : at]
        return Around(newest[at].received_ms, newest[at + 1 : at + 1 + AROUND], after)
    here = event.received_ms
    before, after = await asyncio.gather(
        entity_events(page, event, here - BEFORE_MS, here + 1, AROUND + 1),
        entity_events(page, event, here + 1, here + AFTER_MS, AROUND),
    )
    return Around(here, [each for each in before if each.id != event.id][:AROUND], after)


async def entity_events(page: Page, seen: Seen, from_ms: int, to_ms: int, limit: int) -> list[Seen]:
    """Events of the same entity in that time, newest first."""
    found = await page.api.get(
        paths.EVENTS,
        entity_id=seen.entity,
        event_source=seen.source,
        from_=rfc_3339(from_ms),
        to=rfc_3339(to_ms),
        limit=limit,
    )
    return seen_in(found)

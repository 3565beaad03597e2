"""The first page: how much happens and fails, what fails most, how queues do, how current all this is."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from starlette.responses import Response

from console.health import with_health
from console.html.charts import Bar
from console.html.course import bars_of, fewer, width_of
from console.html.times import Range
from console.page import Page
from console.parts import Asked, as_they_come, in_order
from console.reading.currency import currency
from contracts import paths
from contracts.criteria import instant_ms

GROUPS, SUBSCRIPTIONS = 8, 10
"""Shown here; their own pages have the rest."""
TYPES = ("ENTITY_EVENT", "SYSTEM_EVENT", "WARNING", "FAULT")


class Queues(NamedTuple):
    """Subscriptions with their health, and whether there are more of them."""

    rows: list[dict[str, Any]]
    more: bool


async def overview(page: Page) -> Response:
    """All of it, asked for at once; what is not answered says so in its place."""
    parts = await page.parts()
    counts = parts.ask(_counts(page, page.range, by="event_type"))
    now = parts.ask(_counts(page, page.range, by="fault", interval="day"))
    before = parts.ask(_counts(page, page.range.before, by="fault", interval="day"))
    groups = parts.ask(page.api.get(paths.FAULTS, **page.range.absolute, limit=GROUPS))
    queues = parts.ask(_queues(page))
    status = parts.ask(page.api.get(paths.STATUS))
    shown = as_they_come(
        _events(page, counts, now, before),
        _current(page, status),
        _groups(page, groups),
        _delivery(page, queues),
    )
    return page.stream(in_order(page.text("overview/page.html"), {"all": shown}), parts)


async def _events(page: Page, *asked: Asked[Any]) -> AsyncIterator[str]:
    counts, now, before = [await each for each in asked]
    yield page.text(
        "overview/events.html",
        counts=counts,
        course=_bars(page, counts) if isinstance(counts, dict) else [],
        width=width_of(counts["interval"]) if isinstance(counts, dict) else "",
        now=_of_faults(now),
        before=_of_faults(before),
    )


async def _current(page: Page, status: Asked[Any]) -> AsyncIterator[str]:
    found = await status
    yield page.text(
        "overview/current.html", told=currency(found if isinstance(found, dict) else None)
    )


async def _groups(page: Page, groups: Asked[Any]) -> AsyncIterator[str]:
    yield page.text("overview/faults.html", groups=await groups, fewer=fewer)


async def _delivery(page: Page, asked: Asked[Queues]) -> AsyncIterator[str]:
    queues = await asked
    yield page.text(
        "overview/delivery.html",
        subscriptions=queues.rows if isinstance(queues, Queues) else queues,
        more=isinstance(queues, Queues) and queues.more,
    )


async def _queues(page: Page) -> Queues:
    found = await page.api.get(paths.SUBSCRIPTIONS, limit=SUBSCRIPTIONS)
    return Queues(await with_health(page, found["items"]), found["next"] is not None)


async def _counts(page: Page, period: Range, **query: str) -> Any:
    return await page.api.get(paths.COUNTS, **period.absolute, **query)


def _of_faults(found: Any) -> dict[str, float] | None:
    """`events`, `faults` and `rate` of counts by whether an event failed; None when there are none."""
    if not isinstance(found, dict):
        return None
    failed = sum(each["count"] for each in found["series"] if each["value"] == "true")
    return {
        "events": found["count"],
        "faults": failed,
        "rate": failed / found["count"] if found["count"] else 0.0,
    }


def _bars(page: Page, counts: dict[str, Any]) -> list[Bar]:
    series = {each["value"]: each["buckets"] for each in counts["series"]}
    starts = [max(instant_ms(each), page.range.from_ms) for each in counts["starts"]]
    ordered = {name: series[name] for name in TYPES if name in series}
    return bars_of(
        starts,
        instant_ms(counts["to"]),
        ordered,
        lambda from_, to: page.link("/search", from_=from_, to=to),
    )

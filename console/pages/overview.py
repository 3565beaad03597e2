"""The first page: how much happens and fails, what fails most and what is new, how queues do."""

from typing import Any

from starlette.responses import Response

from console.api import gather
from console.health import with_health
from console.html.charts import Bar
from console.html.course import bars_of, fewer, width_of
from console.html.times import Range
from console.page import Page
from contracts import paths
from contracts.criteria import instant_ms

GROUPS, SUBSCRIPTIONS = 8, 10
"""Shown here; their own pages have the rest."""
TYPES = ("ENTITY_EVENT", "SYSTEM_EVENT", "WARNING", "FAULT")


async def overview(page: Page) -> Response:
    """All of it, asked for at once; what is not answered says so in its place."""
    counts, now, before, groups, found = await gather(
        _counts(page, page.range, by="event_type"),
        _counts(page, page.range, by="fault", interval="day"),
        _counts(page, page.range.before, by="fault", interval="day"),
        page.api.get(paths.FAULTS, **page.range.absolute, limit=GROUPS),
        page.api.get(paths.SUBSCRIPTIONS, limit=SUBSCRIPTIONS),
    )
    return page.render(
        "overview.html",
        counts=counts,
        course=_bars(page, counts) if isinstance(counts, dict) else [],
        width=width_of(counts["interval"]) if isinstance(counts, dict) else "",
        now=_of_faults(now),
        before=_of_faults(before),
        groups=groups,
        fewer=fewer,
        subscriptions=await with_health(page, found["items"]) if isinstance(found, dict) else found,
        more=isinstance(found, dict) and found["next"] is not None,
    )


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
        page.range.to_ms,
        ordered,
        page.zone,
        lambda from_, to: page.link("/search", from_=from_, to=to),
    )

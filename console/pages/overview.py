"""The first page: how much happens and fails, what fails most and what is new, how queues do."""

from typing import Any

from starlette.responses import Response

from console.api import Refused, Unanswered, gather, path
from console.html.charts import Bar
from console.html.course import bars_of, fewer, width_of
from console.html.times import Range, rfc_3339
from console.page import Page
from console.reading.state import state_of
from contracts import paths
from contracts.criteria import instant_ms

GROUPS, SUBSCRIPTIONS = 8, 10
"""Shown here; their own pages have the rest."""
TYPES = ("ENTITY_EVENT", "SYSTEM_EVENT", "WARNING", "FAULT")


async def overview(page: Page) -> Response:
    """All of it, asked for at once; what is not answered says so in its place."""
    counts, before, groups, found = await gather(
        _counts(page, page.range, by="event_type"),
        _counts(page, page.range.before, by="fault", interval="day"),
        page.api.get(paths.FAULTS, **_range(page.range), limit=GROUPS),
        page.api.get(paths.SUBSCRIPTIONS, limit=SUBSCRIPTIONS),
    )
    now = await _counts_or_why(page, page.range)
    return page.render(
        "overview.html",
        counts=counts,
        course=_bars(page, counts) if isinstance(counts, dict) else [],
        width=width_of(counts["interval"]) if isinstance(counts, dict) else "",
        now=_of_faults(now),
        before=_of_faults(before),
        groups=groups,
        fewer=fewer,
        subscriptions=await _health(page, found),
        more=isinstance(found, dict) and found["next"] is not None,
    )


async def _counts(page: Page, period: Range, **query: str) -> Any:
    return await page.api.get(paths.COUNTS, **_range(period), **query)


async def _counts_or_why(page: Page, period: Range) -> Any:
    [found] = await gather(_counts(page, period, by="fault", interval="day"))
    return found


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


async def _health(page: Page, found: Any) -> Any:
    """Rows of subscriptions with how their queues do, or why there are none."""
    if isinstance(found, Refused | Unanswered):
        return found
    items = found["items"]
    health = await gather(*(page.api.get(path(paths.HEALTH, id=each["id"])) for each in items))
    return [
        {
            "it": each,
            "state": state_of(each, told),
            "health": told if isinstance(told, dict) else None,
        }
        for each, told in zip(items, health, strict=True)
    ]


def _range(period: Range) -> dict[str, str]:
    return {"from_": rfc_3339(period.from_ms), "to": rfc_3339(period.to_ms)}

"""What a search finds, counted: by time for the bars above the list, by value for what the line offers."""

from typing import Any

from markupsafe import Markup
from starlette.responses import Response

from console.html.charts import Bar, chart
from console.html.times import Range
from console.line.criteria import criteria, sayable
from console.line.fields import ALIASES, FREE_ALIASES
from console.line.given import given
from console.line.parse import Line
from console.page import Page
from contracts import paths
from contracts.criteria import instant_ms, rfc_3339
from contracts.intervals import BUCKETS_MAX, STEP_MS, Interval

BARS_MAX, HEIGHT = 100, 54
TYPES = ("ENTITY_EVENT", "SYSTEM_EVENT", "WARNING", "FAULT")
"""From below: what matters most stands on top."""
OFFERED = 12


async def timeline(page: Page, line: Line) -> Markup | None:
    """Bars of the events that the line asks for, by time and type; None when they cannot be counted.

    Raises `Refused`, `Unanswered`.
    """
    asked, period = criteria(line), page.range
    if asked is None:
        return None
    finest: list[Interval] = ["minute", "hour", "day"]
    length_ms = period.to_ms - period.from_ms
    interval = next((i for i in finest if length_ms // STEP_MS[i] + 2 <= BUCKETS_MAX), "day")
    query = {**asked, **period.absolute, "interval": interval, "by": "event_type"}
    found = await page.api.get(paths.COUNTS, **query)
    title = f"{found['count']:,} events by time and type"
    return chart(_bars(page, period, found), page.zone, title, HEIGHT)


def _bars(page: Page, period: Range, found: dict[str, Any]) -> list[Bar]:
    """So many intervals to a bar that there are not too many bars; they end with what was counted."""
    to_ms = instant_ms(found["to"])
    starts = [instant_ms(each) for each in found["starts"]]
    series = {each["value"]: each["buckets"] for each in found["series"]}
    step = -(-len(starts) // BARS_MAX) or 1
    made = []
    for first in range(0, len(starts), step):
        begin = max(starts[first], period.from_ms)
        end = starts[first + step] if first + step < len(starts) else to_ms
        parts = {t: sum(series[t][first : first + step]) for t in TYPES if t in series}
        told = ", ".join(f"{count:,} {name}" for name, count in reversed(parts.items()) if count)
        here = page.here(from_=rfc_3339(begin), to=rfc_3339(end), cursor=None, event=None)
        made.append(Bar(parts, begin, end, told or "none", here if told else None))
    return made


async def values(page: Page) -> Response:
    """The values of a field that begin so, with their counts among what the rest of the line asks for.

    Where the counts would be of more than that, the values come without.
    """
    name, prefix = page.query.get("field", ""), page.query.get("prefix", "")
    field = _field(name)
    if field is None:
        return page.json([])
    asked, is_all = sayable(given(page.query), field.partition(".")[0])
    query: dict[str, str | int] = {**asked, **page.range.absolute, "field": field, "limit": OFFERED}
    if prefix:
        query["prefix"] = prefix[:256]
    found = await page.api.get(paths.FIELDS, **query)
    told = found["values"] if is_all else [{"value": each["value"]} for each in found["values"]]
    return page.json(told)


def _field(name: str) -> str | None:
    """The API's name of a field of the line; None for those whose values it does not count."""
    if name in ALIASES:
        return ALIASES[name].member
    kind, dot, rest = name.partition(".")
    if dot and FREE_ALIASES.get(kind) == "key_attributes":
        return f"key_attributes.{rest}" if rest else "key_attributes"
    return None

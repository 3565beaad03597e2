"""How something went over a time: counts of intervals as bars that lead to their events."""

from collections.abc import Callable, Mapping, Sequence

from console.html.charts import Bar
from contracts.criteria import rfc_3339
from contracts.intervals import STEP_MS, Interval, Span

Link = Callable[[str, str], str]
"""The page of the time between two moments, RFC 3339."""


def starts_of(from_ms: int, to_ms: int, interval: Interval) -> list[int]:
    """When each interval of the range begins, ms since 1970; the first is cut by it."""
    return [max(each, from_ms) for each in Span(from_ms, to_ms, interval).starts_ms()]


def bars_of(
    starts: Sequence[int],
    to_ms: int,
    series: Mapping[str, Sequence[int]],
    link: Link | None = None,
) -> list[Bar]:
    """A bar for each interval, its counts by name stacked, with what a reader is told of it."""
    bars = []
    for number, start in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else to_ms
        parts = {name: buckets[number] for name, buckets in series.items()}
        told = ", ".join(f"{count:,} {name}" for name, count in parts.items() if count) or "none"
        href = link(rfc_3339(start), rfc_3339(end)) if link and any(parts.values()) else None
        bars.append(Bar(parts, start, end, told, href))
    return bars


def fewer(buckets: Sequence[int], most: int = 48) -> list[int]:
    """The same course in at most `most` bars, neighbours added up."""
    step = -(-len(buckets) // most) or 1
    return [sum(buckets[at : at + step]) for at in range(0, len(buckets), step)]


def width_of(interval: Interval) -> str:
    """What one bar is, for a reader."""
    return f"each bar {'a' if STEP_MS[interval] != STEP_MS['hour'] else 'an'} {interval}"

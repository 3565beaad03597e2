"""Small charts as SVG, made on the server: they are there without script and carry no style of their own.

Bars are coloured by their class in the stylesheet; a bar that leads somewhere is a link.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from markupsafe import Markup

from console.html.ticks import Tick, label, short, ticks, top_of
from console.html.times import shown

WIDTH, GAP = 1000, 1
LINE = Markup('<line class="grid" x1="{}" y1="{}" x2="{}" y2="{}"/>')
BAR = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')


class Bar(NamedTuple):
    """One bar: counts by class, stacked from below, its time, what a reader is told, where it leads."""

    parts: dict[str, int]
    start_ms: int
    end_ms: int
    told: str
    href: str | None = None

    @property
    def sum(self) -> int:
        """Its height."""
        return sum(self.parts.values())


def chart(found: Sequence[Bar], zone: tzinfo, title: str, height: int = 64) -> Markup:
    """Stacked bars of equal times over the whole width, with a scale and an axis of time.

    What is written stands beside the bars, whose picture is drawn out to the width that there is.
    """
    top = top_of(max((bar.sum for bar in found), default=0))
    at = [(each, _place(each.at_ms, found)) for each in _ticks(found, zone)]
    drawn = bars(found, [x for _, x in at], top, zone, title, height)
    half = Markup('<span class="half">{}</span>').format(short(top // 2)) if top > 1 else ""
    axis = Markup("").join(
        Markup('<text x="{:.2f}%" y="11" data-at="{}" data-form="{}">{}</text>').format(
            100 * x, each.at_ms, each.form, label(each, zone)
        )
        for each, x in at
    )
    return Markup(
        '<div class="chart" data-chart><span class="top">{}</span>{}<output hidden></output>{}'
        '<svg class="axis" aria-hidden="true">{}</svg></div>'
    ).format(short(top), half, drawn, axis)


def _ticks(found: Sequence[Bar], zone: tzinfo) -> list[Tick]:
    return ticks(found[0].start_ms, found[-1].end_ms, zone) if found else []


def _place(at_ms: int, found: Sequence[Bar]) -> float:
    """Where a moment is, from 0 to 1: bars have one width, though the first and last may be cut short.

    `brush.js` has its inverse.
    """
    length = max(bar.end_ms - bar.start_ms for bar in found)
    number = max(bisect_right([bar.start_ms for bar in found], at_ms) - 1, 0)
    is_last = number == len(found) - 1
    from_start = (at_ms - found[number].start_ms) / length
    within = from_start if is_last else 1 - (found[number].end_ms - at_ms) / length
    return (number + within) / len(found)


def bars(
    found: Sequence[Bar], lines: Sequence[float], top: int, zone: tzinfo, title: str, height: int
) -> Markup:
    """The bars alone; `top` has the whole height. `lines` are drawn across, from 0 to 1."""
    step = WIDTH / max(len(found), 1)
    role = "group" if any(bar.href for bar in found) else "img"  # an image has no links within
    grid = [LINE.format(0, y, WIDTH, y) for y in (0.5, height / 2)]
    grid += [LINE.format(f"{x * WIDTH:.1f}", 0, f"{x * WIDTH:.1f}", height) for x in lines]
    drawn = [
        _drawn(bar, zone, n * step, step - GAP, height / top, height) for n, bar in enumerate(found)
    ]
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="{}"'
        ' aria-label="{}">{}</svg>'
    ).format(WIDTH, height, role, title, Markup("").join([*grid, *drawn]))


def _drawn(bar: Bar, zone: tzinfo, x: float, width: float, scale: float, height: int) -> Markup:
    parts, top = [], float(height)
    for kind, count in bar.parts.items():
        if count:
            tall = max(count * scale, 1.5)
            top -= tall
            parts.append(BAR.format(kind, f"{x:.2f}", f"{top:.2f}", f"{width:.2f}", f"{tall:.2f}"))
    hit = BAR.format("hit", f"{x:.2f}", 0, f"{width + GAP:.2f}", height)
    start, end = (shown(each, zone, "minute") for each in (bar.start_ms, bar.end_ms))
    told = f"{start} to {end}: {bar.told}"
    inner = Markup("<title>{}</title>{}{}").format(told, hit, Markup("").join(parts))
    time = Markup('data-from="{}" data-to="{}"').format(bar.start_ms, bar.end_ms)  # for scripts
    if bar.href is None:
        return Markup("<g {}>{}</g>").format(time, inner)
    return Markup('<a href="{}" aria-label="{}" {}>{}</a>').format(bar.href, told, time, inner)


def sparkline(counts: Sequence[int], title: str, kind: str = "plain") -> Markup:
    """Bars of one kind in the height of a line of text, with the highest as a figure."""
    width, height, highest = 4 * len(counts), 18, max(counts, default=0) or 1
    drawn = [
        BAR.format(kind, 4 * n, round(height - tall, 1), 3, round(tall, 1))
        for n, count in enumerate(counts)
        if (tall := max(height * count / highest, 1.0 if count else 0.5))
    ]
    return Markup(
        '<span class="course-of"><svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img"'
        ' aria-label="{2}, at most {4:,} in a bar">{3}</svg>'
        '<span class="most" title="The highest bar" aria-hidden="true">{4:,}</span></span>'
    ).format(width, height, title, Markup("").join(drawn), max(counts, default=0))

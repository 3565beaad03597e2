"""Small charts as SVG, made on the server: they are there without script and carry no style of their own.

Bars are coloured by their class in the stylesheet; a bar that leads somewhere is a link.
"""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH, GAP = 1000, 1
BAR = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')


class Bar(NamedTuple):
    """One bar: counts by class, stacked from below, what it is for a reader, and where it leads."""

    parts: dict[str, int]
    label: str
    href: str | None = None

    @property
    def sum(self) -> int:
        """Its height."""
        return sum(self.parts.values())


def bars(found: Sequence[Bar], title: str, height: int = 64) -> Markup:
    """Stacked bars over the whole width; the highest has the whole height."""
    highest = max((bar.sum for bar in found), default=0) or 1
    step = WIDTH / max(len(found), 1)
    role = "group" if any(bar.href for bar in found) else "img"  # an image has no links within
    drawn = [
        _drawn(bar, n * step, step - GAP, height / highest, height) for n, bar in enumerate(found)
    ]
    return Markup(
        '<svg class="bars" viewBox="0 0 {} {}" preserveAspectRatio="none" role="{}"'
        ' aria-label="{}">{}</svg>'
    ).format(WIDTH, height, role, title, Markup("").join(drawn))


def _drawn(bar: Bar, x: float, width: float, scale: float, height: int) -> Markup:
    parts, top = [], float(height)
    for kind, count in bar.parts.items():
        if count:
            tall = max(count * scale, 1.5)
            top -= tall
            parts.append(BAR.format(kind, f"{x:.2f}", f"{top:.2f}", f"{width:.2f}", f"{tall:.2f}"))
    hit = BAR.format("hit", f"{x:.2f}", 0, f"{width + GAP:.2f}", height)
    inner = Markup("<title>{}</title>{}{}").format(bar.label, hit, Markup("").join(parts))
    if bar.href is None:
        return Markup("<g>{}</g>").format(inner)
    return Markup('<a href="{}" aria-label="{}">{}</a>').format(bar.href, bar.label, inner)


def sparkline(counts: Sequence[int], title: str, kind: str = "plain") -> Markup:
    """Bars of one kind in the height of a line of text."""
    width, height, highest = 4 * len(counts), 18, max(counts, default=0) or 1
    drawn = [
        BAR.format(kind, 4 * n, round(height - tall, 1), 3, round(tall, 1))
        for n, count in enumerate(counts)
        if (tall := max(height * count / highest, 1.0 if count else 0.5))
    ]
    return Markup(
        '<svg class="spark" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img"'
        ' aria-label="{2}">{3}</svg>'
    ).format(width, height, title, Markup("").join(drawn))

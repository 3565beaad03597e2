"""Intervals that a range of time is counted by: minutes, hours or days of UTC."""

from typing import Annotated, Literal, NamedTuple

from pydantic import WithJsonSchema

Interval = Literal["minute", "hour", "day"]
Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""As answers have it, RFC 3339 in UTC."""
Asked = Literal["auto", "minute", "hour", "day"]

STEP_MS: dict[Interval, int] = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}
MINUTES_MAX, HOURS_MAX = 120, 168
"""The longest ranges that are counted by the minute and by the hour unless asked to, in their units."""
BUCKETS_MAX = 2000


class Span(NamedTuple):
    """The time [from_ms, to_ms), ms since 1970, in intervals; the first and the last may be cut."""

    from_ms: int
    to_ms: int
    interval: Interval

    @property
    def step_ms(self) -> int:
        """Length of an interval."""
        return STEP_MS[self.interval]

    @property
    def first(self) -> int:
        """Number of the first interval since 1970."""
        return self.from_ms // self.step_ms

    @property
    def size(self) -> int:
        """How many intervals there are."""
        return (self.to_ms - 1) // self.step_ms - self.first + 1

    def starts_ms(self) -> list[int]:
        """When each begins."""
        return [(self.first + number) * self.step_ms for number in range(self.size)]


def span(from_ms: int, to_ms: int, asked: Asked = "auto") -> Span:
    """That time, which is not empty, in the intervals that were asked for, or such as suit its length."""
    if asked != "auto":
        return Span(from_ms, to_ms, asked)
    if to_ms - from_ms <= MINUTES_MAX * STEP_MS["minute"]:
        return Span(from_ms, to_ms, "minute")
    if to_ms - from_ms <= HOURS_MAX * STEP_MS["hour"]:
        return Span(from_ms, to_ms, "hour")
    return Span(from_ms, to_ms, "day")

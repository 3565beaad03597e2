"""Times of the pages: the range that all of them share, and moments in the zone of whoever looks.

The range is part of the URL: `range=1h`, relative to now, or `from` and `to` in RFC 3339.
The browser tells its zone in the cookie `zone`; without one times are UTC.
"""

import time
import uuid
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pydantic_core import PydanticCustomError

from contracts.criteria import instant_ms, rfc_3339
from contracts.ids import made_at_ms

UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
RELATIVE = {
    "15m": "Last 15 minutes",
    "1h": "Last hour",
    "6h": "Last 6 hours",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
}
DEFAULT = "24h"
ZONE_CHARACTERS_MAX = 64
EARLIEST_MS = 1_577_836_800_000
"""2020: before all that the pages show."""
CLOCKS_MS = 3_600_000
"""By so much, at most, two clocks differ."""


class Range(NamedTuple):
    """[from_ms, to_ms) in ms since 1970; `relative` is its name when it ends now. `wrong` says what is."""

    from_ms: int
    to_ms: int
    relative: str | None
    wrong: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """As the URL of a page has it."""
        if self.relative:
            return {"range": self.relative}
        return self.absolute

    @property
    def absolute(self) -> dict[str, str]:
        """The same, but as it is at this moment: what is shared with others."""
        return {"from": rfc_3339(self.from_ms), "to": rfc_3339(self.to_ms)}

    @property
    def before(self) -> "Range":
        """The period of the same length before it."""
        return Range(2 * self.from_ms - self.to_ms, self.from_ms, None)


def read_range(relative: str | None, from_: str | None, to: str | None) -> Range:
    """The range that a URL names. What cannot be read is said and replaced by the default."""
    now_ms = time.time_ns() // 1_000_000
    wrong = None
    if from_ or to:
        try:
            first = _read(from_) if from_ else now_ms - 1000 * UNITS_S["d"]
            last = _read(to) if to else now_ms
            if first >= last:
                raise ValueError("the range ends before it begins")
            return Range(first, last, None)
        except ValueError as error:
            wrong = f"The time range cannot be used: {error}."
    if relative and relative not in RELATIVE:
        wrong = f"There is no range {relative[:20]!r}."
    name = relative if relative in RELATIVE else DEFAULT
    length_ms = 1000 * int(name[:-1]) * UNITS_S[name[-1]]
    return Range(now_ms - length_ms, now_ms, name, wrong)


def _read(text: str) -> int:
    """RFC 3339, or what `<input type=datetime-local>` gives, taken as UTC. Raises `ValueError`."""
    if len(text) == len("2026-01-31T12:00"):
        text += ":00"
    if not text.endswith(("Z", "z")) and "+" not in text and text.count("-") == 2:
        text += "Z"
    try:
        return instant_ms(text)
    except PydanticCustomError as error:
        raise ValueError(f"a time {error.message()}") from None


def made_at(id_: str) -> str:
    """A time, RFC 3339, before which there was nothing of what has this id: of version 7 it says when."""
    try:
        made_ms = made_at_ms(uuid.UUID(id_))
    except ValueError:
        made_ms = None
    return rfc_3339(EARLIEST_MS if made_ms is None else made_ms - CLOCKS_MS)


def zone_of(name: str | None) -> tzinfo:
    """The zone that a cookie names; UTC when it names none."""
    if name and len(name) <= ZONE_CHARACTERS_MAX:
        try:
            return ZoneInfo(name)
        except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError below
            return UTC
        except KeyError:
            return UTC
    return UTC


def shown(time_ms: int, zone: tzinfo, form: str = "full") -> str:
    """A moment in `zone`: `full`, `second` and `minute` end there, `list` has no year, `clock` no day."""
    moment = datetime.fromtimestamp(time_ms / 1000, zone)
    if form == "clock":
        return f"{moment:%H:%M:%S}.{time_ms % 1000:03d}"
    if form == "list":
        return f"{moment:%m-%d %H:%M:%S}.{time_ms % 1000:03d}"
    if form == "minute":
        return f"{moment:%Y-%m-%d %H:%M}"
    if form == "second":
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    return f"{moment:%Y-%m-%d %H:%M:%S}.{time_ms % 1000:03d}"


def ago(time_ms: int, now_ms: int | None = None) -> str:
    """How long before now, in one unit: `3 min`; `in 3 min` of what is to come."""
    now_ms = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    seconds = abs(now_ms - time_ms) // 1000
    text = duration(seconds)
    return f"in {text}" if time_ms > now_ms + 999 else f"{text} ago"


def duration(seconds: float) -> str:
    """Seconds in their largest fitting unit."""
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length or (unit == "min" and seconds >= length):
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"

"""Round figures beside a chart: the top of its scale, and moments that clocks and calendars know.

Moments are round in the zone of whoever looks, over changes of its clock too.
"""

import itertools
from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

TOPS = (1, 2, 4, 6, 8, 10)
"""Of a scale, times a power of ten: half of each is round too."""
MINUTE_MS, DAY_MINUTES = 60_000, 24 * 60
STEPS_MIN = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
"""Minutes between two moments of a day; each divides it."""
STEPS_DAYS = (1, 2, 7, 14)
STEPS_MONTHS = (1, 3, 6, 12, 24, 60, 120, 1200)


class Tick(NamedTuple):
    """A moment, ms since 1970, and how it is written: `clock`, `day` or `month`."""

    at_ms: int
    form: str


def top_of(highest: int) -> int:
    """The least round figure that is not below `highest`, at least 1; less than twice it."""
    power = 1
    while 10 * power < highest:
        power *= 10
    return next(power * top for top in TOPS if power * top >= highest)


def short(figure: int) -> str:
    """A round figure in few letters: 500, 2k, 40M."""
    for unit, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if figure >= unit:
            return f"{figure // unit:,}{letter}"
    return str(figure)


def ticks(from_ms: int, to_ms: int, zone: tzinfo, most: int = 8) -> list[Tick]:
    """At most `most` round moments of [from_ms, to_ms), as many as steps that people count in allow."""
    wanted_min = (to_ms - from_ms) / MINUTE_MS / most
    first, last = (_local(each, zone).date() for each in (from_ms, to_ms))
    for made in _candidates(first, last, wanted_min, zone):
        found = sorted(each for each in made if from_ms <= each.at_ms < to_ms)
        if len(found) <= most:
            return found
    return []


def label(tick: Tick, zone: tzinfo) -> str:
    """How it is written in the zone."""
    local = _local(tick.at_ms, zone)
    return local.strftime({"clock": "%H:%M", "day": "%m-%d", "month": "%Y-%m"}[tick.form])


def _candidates(
    first: date, last: date, wanted_min: float, zone: tzinfo
) -> Iterator[Iterator[Tick]]:
    """Ticks by ever longer steps, from about the one that is wanted on."""
    for step in STEPS_MIN[bisect_left(STEPS_MIN, wanted_min) :]:
        yield _clock(first, last, step, zone)
    for step in STEPS_DAYS:
        if wanted_min <= 2 * step * DAY_MINUTES:
            yield _days(first, last, step, zone)
    for step in STEPS_MONTHS:
        if wanted_min <= 62 * step * DAY_MINUTES:
            yield _months(first, last, step, zone)


def _clock(first: date, last: date, step: int, zone: tzinfo) -> Iterator[Tick]:
    """What the clock shows twice is two moments, what it leaves out none."""
    for day in _each_day(first, last):
        for minutes, fold in itertools.product(range(0, DAY_MINUTES, step), (0, 1)):
            at_ms = _ms(datetime.combine(day, time(*divmod(minutes, 60), fold=fold), zone))
            shown = _local(at_ms, zone)
            if (60 * shown.hour + shown.minute, shown.fold) == (minutes, fold):
                yield Tick(at_ms, "clock" if minutes else "day")


def _days(first: date, last: date, step: int, zone: tzinfo) -> Iterator[Tick]:
    for day in _each_day(first, last):
        if day.toordinal() % step == 1 % step:  # weeks begin on Mondays
            yield Tick(_ms(datetime.combine(day, time(), zone)), "day")


def _months(first: date, last: date, step: int, zone: tzinfo) -> Iterator[Tick]:
    for month in range(first.year * 12 + first.month - 1, last.year * 12 + last.month):
        if month % step == 0:
            day = date(month // 12, month % 12 + 1, 1)
            yield Tick(_ms(datetime.combine(day, time(), zone)), "month")


def _each_day(first: date, last: date) -> Iterator[date]:
    days = itertools.count()
    return itertools.takewhile(lambda day: day <= last, (first + timedelta(n) for n in days))


def _local(at_ms: int, zone: tzinfo) -> datetime:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at_ms)).astimezone(zone)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)

"""Round figures beside the charts: of a scale, and of clocks and calendars in whatever zone."""

import itertools
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from console.html.ticks import MINUTE_MS, label, short, ticks, top_of

ZONES = [
    ZoneInfo(name)
    for name in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana")
]
TIMES = st.integers(631_152_000, 3_471_292_800).map(lambda seconds: 1000 * seconds)
"""From 1990 to 2080."""
LENGTHS = st.one_of(st.integers(2 * MINUTE_MS, 3 * 86_400_000), st.integers(3 * 86_400_000, 10**12))


@given(st.integers(0, 10**15))
def test_the_top_of_a_scale_is_round_and_near(highest: int) -> None:
    top = top_of(highest)
    assert highest <= top
    assert top == 1 or top < 2 * highest
    assert len(str(top).rstrip("0")) == 1
    assert top == 1 or top % 2 == 0
    for figure in (top, top // 2):  # what is written is all of it
        written = short(figure)
        unit = {"k": 10**3, "M": 10**6, "G": 10**9}.get(written[-1], 1)
        assert int(written.rstrip("kMG").replace(",", "")) * unit == figure


@given(TIMES, LENGTHS, st.sampled_from(ZONES), st.integers(3, 12))
def test_moments_are_round_few_and_within(
    from_ms: int, length_ms: int, zone: ZoneInfo, most: int
) -> None:
    found = ticks(from_ms, from_ms + length_ms, zone, most)
    assert len(found) <= most
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    for each in found:
        assert from_ms <= each.at_ms < from_ms + length_ms
        local = datetime.fromtimestamp(each.at_ms / 1000, zone)
        assert local.second == 0
        if each.form == "day":  # a clock may leave midnight out
            before = local - timedelta(hours=1)
            assert (local.hour, local.minute) == (0, 0) or before.date() < local.date()
        if each.form == "month":
            assert local.day == 1
    steps = {b.at_ms - a.at_ms for a, b in itertools.pairwise(found)}
    if len({each.form for each in found}) == 1 and found and found[0].form == "clock":
        assert max(steps, default=0) - min(steps, default=0) <= 2 * 3_600_000


@given(TIMES, LENGTHS, st.sampled_from(ZONES))
@example(1_760_782_190_000, 258_864_610_001, ZONES[3])  # eight years
@example(2_077_767_839_000, 17 * MINUTE_MS, ZONES[4])  # the clock shows this hour a second time
def test_there_are_moments_enough_to_read_by(from_ms: int, length_ms: int, zone: ZoneInfo) -> None:
    assert len(ticks(from_ms, from_ms + length_ms, zone)) >= 2


@pytest.mark.parametrize(
    ("from_", "to", "zone", "labels"),
    [
        ("2026-03-28T22:00Z", "2026-03-29T04:00Z", "Europe/Berlin",
         ["23:00", "03-29", "01:00", "03:00", "04:00", "05:00"]),
        ("2026-01-31T23:30Z", "2026-02-01T00:30Z", "UTC",
         ["23:30", "23:40", "23:50", "02-01", "00:10", "00:20"]),
        ("2026-01-01T00:00Z", "2026-01-31T00:00Z", "UTC", ["01-05", "01-12", "01-19", "01-26"]),
        ("2024-06-15T00:00Z", "2026-06-15T00:00Z", "UTC",
         ["2024-07", "2024-10", "2025-01", "2025-04", "2025-07", "2025-10", "2026-01", "2026-04"]),
    ],
)  # fmt: skip
def test_moments_as_they_are_written(from_: str, to: str, zone: str, labels: list[str]) -> None:
    start, end = (round(datetime.fromisoformat(each).timestamp() * 1000) for each in (from_, to))
    there = ZoneInfo(zone)
    assert [label(each, there) for each in ticks(start, end, there)] == labels

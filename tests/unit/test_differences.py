"""What sets a group apart, in numbers; ranges of time in intervals."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clickhouse.fault_features import StoredFeature
from contracts.intervals import BUCKETS_MAX, span
from contracts.problems import Problem
from query.counting import span_of
from query.differences import DIFFERENCES_MAX, differences, interval

HOUR_MS = 3_600_000


def test_a_share_lies_within_its_interval_which_narrows_with_the_count() -> None:
    low, high = interval(3, 3)
    assert low < 0.25
    assert high == 1
    assert interval(300, 300)[0] > 0.95
    assert interval(0, 0) == (0, 1)
    assert interval(0, 1000)[1] < 0.02


@given(st.integers(0, 500), st.integers(1, 500))
def test_an_interval_holds_its_share(count: int, more: int) -> None:
    of = count + more
    low, high = interval(count, of)
    assert 0 <= low <= count / of <= high <= 1


def test_the_clearest_difference_comes_first_with_its_numbers() -> None:
    found = differences(
        [
            StoredFeature("", "", 200, 1000),
            StoredFeature("key_attributes.store", "7", 190, 20),
            StoredFeature("event_source", "ORDER", 150, 300),
            StoredFeature("operation", "UPDATE", 160, 800),
        ],
        200,
        1000,
    )
    assert [(each.field, each.value) for each in found] == [
        ("key_attributes.store", "7"),
        ("event_source", "ORDER"),
    ]
    assert (found[0].group_share, found[0].rest_share) == (0.95, 0.02)
    assert found[0].lift == pytest.approx(46, abs=1)
    assert 0.8 < found[0].score < 0.93


def test_few_events_make_no_noise() -> None:
    one = [StoredFeature("entity_id", "A", 2, 0), StoredFeature("event_source", "ORDER", 3, 500)]
    assert differences(one, 3, 1000) == []
    many = [StoredFeature("entity_id", str(number), 9, 0) for number in range(100)]
    assert len(differences(many, 10, 1000)) <= DIFFERENCES_MAX
    assert differences(many, 10, 0) == []


def test_a_range_is_counted_by_what_suits_its_length() -> None:
    assert span(0, 2 * HOUR_MS).interval == "minute"
    assert span(0, 2 * HOUR_MS + 1).interval == "hour"
    assert span(0, 168 * HOUR_MS + 1).interval == "day"
    cut = span(90_000, 200_000, "minute")
    assert (cut.first, cut.size, cut.starts_ms()) == (1, 3, [60_000, 120_000, 180_000])
    assert span(60_000, 120_000, "minute").size == 1


def test_a_range_ends_now_and_has_its_bounds() -> None:
    now_ms = time.time_ns() // 1_000_000
    found = span_of(None, None, 1)
    assert found.to_ms - found.from_ms == 24 * HOUR_MS
    assert 0 <= found.to_ms - now_ms < 60_000
    assert span_of(now_ms + HOUR_MS, None, 1).size == 1
    assert span_of(now_ms - HOUR_MS, now_ms + HOUR_MS, 1).to_ms < now_ms + 60_000
    with pytest.raises(Problem) as refused:
        span_of(now_ms - 3000 * 60_000, None, 1, "minute")
    [error] = refused.value.document()["errors"]
    assert (error["pointer"], error["limit"]) == ("/interval", BUCKETS_MAX)
    assert error["size"] > BUCKETS_MAX

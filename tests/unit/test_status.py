"""The status as it is told of a lag: one digit, nothing that JSON cannot say."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.behind import line
from console.reading.currency import currency
from contracts.status import rounded_up
from query.status import behind
from service.kafka.lags import Lag


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, 0), (4, 4), (9, 9), (10, 10), (11, 20), (41, 50), (99, 100), (1_234, 2_000)],
)
def test_a_count_is_told_with_one_digit(count: int, told: int) -> None:
    assert rounded_up(count) == told


@given(st.integers(min_value=1, max_value=2**63))
def test_it_is_never_told_too_low_nor_twice_too_high(count: int) -> None:
    assert count <= rounded_up(count) < 2 * count + 1


@pytest.mark.parametrize(
    ("lag", "told"),
    [
        (Lag(0, None, math.inf), (0, 0.0, None)),
        (Lag(3, 9_000, 60.5), (3, 1.0, 60.5)),
        (Lag(3, 11_000, 60.5), (3, 0.0, 60.5)),  # by the clock of another machine
        (Lag(3, 9_000, math.inf), (3, 1.0, None)),  # kept for ever
        (Lag(3, 0, 0.0), (3, None, 0.0)),  # lost already
    ],
)
def test_a_lag_is_told_as_it_was_seen(lag: Lag, told: tuple[int, float | None, float]) -> None:
    found = behind(lag, 10_000)
    assert (found.records_behind, found.seconds_behind, found.seconds_until_loss) == told


@pytest.mark.parametrize(
    ("records", "waits_s", "left_s", "told"),
    [
        (0, 0.0, None, "view: up to date"),
        (
            7,
            1.25,
            7_200.0,
            "7 records behind, the oldest waits for 1.2 s; Kafka keeps it for 2 hours",
        ),
        (2_000, 90.0, None, "2,000 records behind, the oldest waits for 90.0 s"),
        (9, None, 0.0, "9 records behind; lost to Kafka"),
    ],
)
def test_a_person_is_told_in_a_sentence(
    records: int, waits_s: float | None, left_s: float | None, told: str
) -> None:
    behind_: dict[str, Any] = {
        "records_behind": records,
        "seconds_behind": waits_s,
        "seconds_until_loss": left_s,
    }
    assert line("view", behind_).endswith(told)


@pytest.mark.parametrize(
    ("records", "waits_s", "left_s", "told", "colour"),
    [
        (0, 0.0, None, "up to date", ""),
        (9, 2.5, 2_500_000.0, "2 s behind", ""),
        (9, 90.0, 2_500_000.0, "1 min behind", "amber"),
        (9, 90.0, 200_000.0, "1 min behind", "red"),
        (9, 90.0, None, "1 min behind", "amber"),
        (9, None, 0.0, "behind", "red"),
    ],
)
def test_the_console_says_what_is_late_and_what_will_be_lost(
    records: int, waits_s: float | None, left_s: float | None, told: str, colour: str
) -> None:
    late = {
        "records_behind": records,
        "seconds_behind": waits_s,
        "seconds_until_loss": left_s,
    }
    shown, _ = currency({"view": late, "delivery": late})
    assert (shown.told, shown.colour) == (told, colour)


def test_the_console_says_what_is_not_known() -> None:
    assert [each.told for each in currency(None)] == ["not known", "not known"]

"""How a search divides its range: small windows first, then all that is left, each moment once."""

from itertools import pairwise
from typing import Any

import pytest

from contracts.clickhouse.search import Position
from contracts.criteria import Criteria
from query.cursor import Rest
from query.scan import Limits, Scan, TooBroad, TooSlow
from query.search import CLOCK_SKEW_MS
from query.sizes import ROWS_MIN, TENANTS_MAX, Sizes
from query.windows import FIRST_WINDOW_MS, INDEXED_ROWS_MAX, INDEXED_WINDOW_MS, Windows, is_broad
from service.clickhouse import ClickHouseFailed
from tests.builders import NO_ROWS

NOW_MS = 1_764_000_000_000
DAY_MS = 24 * 60 * 60 * 1000


ENTITY = Criteria(entity_id="none")


async def asked(
    days: int,
    criteria: Criteria,
    limits: Limits,
    refused: int = 0,
    code: int = 158,
    window_s: int = 0,
) -> list[tuple[int, int, int]]:
    """Windows and rows that may be read of a search that finds nothing, and is `refused` at first."""
    windows: list[tuple[int, int, int]] = []

    async def select(
        sql: str, parameters: dict[str, Any] | None, settings: dict[str, Any]
    ) -> bytes:
        assert parameters is not None, sql
        assert settings["max_threads"] == 1
        rows_max = settings["max_rows_to_read"]
        windows.append((parameters["from_ms"], parameters["to_ms"], rows_max))
        if len(windows) <= refused:
            raise ClickHouseFailed("too many rows, or too slow", code)
        return NO_ROWS

    scan = Scan(select, "events", limits, Sizes(), "acme", criteria)
    rest = Rest(NOW_MS - days * DAY_MS, Position(NOW_MS), window_s)
    async for _ in scan.newest_first(rest, 50):
        raise AssertionError("nothing was there")
    return windows


async def text(days: int) -> list[tuple[int, int]]:
    """The windows, newest first, of a search for a text that no event has."""
    found = await asked(days, Criteria(q="none"), Limits(1, 60.0, 1))
    return [(begin, end) for begin, end, _ in found]


async def test_what_an_index_is_asked_for_at_once_may_take_too_long() -> None:
    """A text beside an entity whose payloads are large: 159 is TIMEOUT_EXCEEDED."""
    limits = Limits(10_000_000, 60.0, 1)
    windows = await asked(30, ENTITY, limits, refused=2, code=159)
    assert windows[0][:2] == (NOW_MS - 30 * DAY_MS, NOW_MS)
    assert windows[1][0] == NOW_MS - INDEXED_WINDOW_MS
    assert windows[2][0] > NOW_MS - INDEXED_WINDOW_MS // 100
    with pytest.raises(TooSlow):
        await asked(30, ENTITY, limits, refused=4, code=159)


async def test_what_is_recent_is_looked_at_first_and_a_month_in_few_windows() -> None:
    windows = await text(30)
    assert windows[0] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS)
    assert len(windows) <= 4
    assert windows[-1][0] == NOW_MS - 30 * DAY_MS
    assert [begin for begin, _ in windows[:-1]] == [end for _, end in windows[1:]]


async def test_the_next_page_looks_back_as_far_as_the_last_one_had_to() -> None:
    """Its cursor says an hour and a half."""
    limits = Limits(10**7, 60.0, 1)
    windows = await asked(30, Criteria(q="none"), limits, window_s=5_400)
    assert windows[0] == (NOW_MS - 5_400_000, NOW_MS, 10**7)
    windows = await asked(30, Criteria(q="none"), limits, refused=1, code=159, window_s=5_400)
    assert windows[1][:2] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS)
    with pytest.raises(TooSlow):
        await asked(30, Criteria(q="none"), limits, refused=2, code=159, window_s=5_400)


async def test_a_search_that_an_index_was_too_slow_for_is_not_asked_so_again() -> None:
    """Its next page begins with what the last one needed, and the index leaves out rows of that."""
    windows = await asked(30, ENTITY, Limits(10**7, 60.0, 1), window_s=600)
    assert windows[0] == (NOW_MS - 600_000, NOW_MS, 10**7)


def test_a_window_that_may_be_too_long_leaves_time_for_a_shorter_one() -> None:
    rest = Rest(NOW_MS - 30 * DAY_MS, Position(NOW_MS), 14 * 86_400)
    windows = Windows(rest, 10**7, 5.0, is_indexed=False)
    assert windows.time_share == 1 / 2
    assert windows.shrink(is_slow=True)
    assert windows.next_ms == 14 * DAY_MS // 128
    for _ in range(3):
        windows.grow(NOW_MS - DAY_MS, 0.0, 100, 0, 50)
        assert windows.next_ms == 14 * DAY_MS // 4  # of what was too slow
    assert Windows(rest, 10**7, 5.0, is_indexed=True).time_share == 1 / 2
    newest = rest._replace(window_s=0)
    assert Windows(newest, 10**7, 5.0, is_indexed=True).time_share == 1 / 4
    assert Windows(newest, 10**7, 5.0, is_indexed=False).time_share == 1
    assert not Windows(newest, 10**7, 5.0, is_indexed=False).shrink(is_slow=True)


@pytest.mark.parametrize(("took_s", "growth"), [(0.02, 50), (0.06, 16), (0.51, 2.5), (4.0, 1.25)])
def test_a_window_grows_by_what_the_last_one_took(took_s: float, growth: float) -> None:
    windows = Windows(Rest(0, Position(NOW_MS)), 10**7, 5.0, is_indexed=False)
    windows.grow(NOW_MS - FIRST_WINDOW_MS, took_s, 100, 0, 50)
    assert windows.next_ms == growth * FIRST_WINDOW_MS


async def test_no_small_piece_is_left_for_the_end() -> None:
    for days in (1, 2, 7, 90, 365):
        lengths = [end - begin for begin, end in await text(days)]
        assert len(lengths) == 1 or lengths[-1] > lengths[-2]


@pytest.mark.parametrize("criteria", [ENTITY, Criteria(key_attributes={"a": "none"})])
async def test_what_an_index_finds_is_looked_for_in_the_whole_range_at_once(
    criteria: Criteria,
) -> None:
    whole = (NOW_MS - 365 * DAY_MS, NOW_MS, INDEXED_ROWS_MAX)
    assert await asked(365, criteria, Limits(10**7, 60.0, 1)) == [whole]
    assert await asked(365, criteria, Limits(1000, 60.0, 1)) == [(*whole[:2], 1000)]


async def test_an_empty_value_has_no_index() -> None:
    found = await asked(30, Criteria(key_attributes={"a": ""}), Limits(10**7, 60.0, 1))
    assert found[0] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS, 10**7)


async def test_where_the_index_leaves_many_rows_the_newest_are_read_first() -> None:
    refused, *windows = await asked(30, ENTITY, Limits(10**7, 60.0, 1), refused=1)
    assert refused == (NOW_MS - 30 * DAY_MS, NOW_MS, INDEXED_ROWS_MAX)
    assert windows[0] == (NOW_MS - INDEXED_WINDOW_MS, NOW_MS, 10**7)
    assert windows[-1][0] == NOW_MS - 30 * DAY_MS
    assert all(one[0] == other[1] for one, other in pairwise(windows))


async def test_a_window_with_too_many_rows_is_made_smaller_as_long_as_it_can_be() -> None:
    windows = await asked(30, ENTITY, Limits(10**7, 60.0, 1), refused=3)
    lengths = [end - begin for begin, end, _ in windows]
    assert lengths[0] > lengths[1] > lengths[2] > lengths[3] >= FIRST_WINDOW_MS
    with pytest.raises(TooBroad):  # ClickHouse has a limit of its own
        await asked(30, ENTITY, Limits(10**7, 60.0, 1), refused=99)


def test_what_lies_in_no_order_of_time_is_read_and_does_not_count() -> None:
    """Twelve million rows under Idempotency-Keys: every window of the month reads the time of all."""
    unordered, rows_max = 12_000_000, 10_000_000
    rest = Rest(NOW_MS - 30 * DAY_MS, Position(NOW_MS))
    windows = Windows(rest, rows_max, 5.0, is_indexed=False)
    assert windows.rows_max == rows_max
    assert windows.shrink(is_slow=False)
    assert windows.rows_max == 0
    assert windows.start(NOW_MS) == NOW_MS - FIRST_WINDOW_MS
    windows.grow(NOW_MS - FIRST_WINDOW_MS, 0.05, unordered, 0, 50)
    assert windows.rows_max == rows_max + unordered
    began_ms = windows.start(NOW_MS - FIRST_WINDOW_MS)
    assert began_ms < NOW_MS - 16 * FIRST_WINDOW_MS
    assert windows.shrink(is_slow=False)  # too many that are in order
    assert windows.rows_max == rows_max + unordered


async def test_a_search_goes_on_below_what_lies_in_no_order_of_time() -> None:
    windows = await asked(30, Criteria(q="none"), Limits(10**7, 60.0, 1), refused=1)
    assert windows[0] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS, 10**7)
    assert windows[1] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS, 0)
    assert {rows_max for _, _, rows_max in windows[2:]} == {10**7}  # this one read none
    assert windows[-1][0] == NOW_MS - 30 * DAY_MS


def test_a_count_of_a_day_is_never_refused_for_its_rows() -> None:
    assert not is_broad(NOW_MS - DAY_MS, NOW_MS + CLOCK_SKEW_MS)
    assert is_broad(NOW_MS - 2 * DAY_MS, NOW_MS)


@pytest.mark.parametrize(("found", "largest"), [(0, 500), (1, 100), (10, 16), (40, 16)])
def test_a_window_grows_no_further_than_the_page_needs(found: int, largest: int) -> None:
    rest = Rest(NOW_MS - 3650 * DAY_MS, Position(NOW_MS))
    windows = Windows(rest, 10**7, 5.0, is_indexed=False)
    began_ms = windows.start(NOW_MS)
    windows.grow(began_ms, 0.0, 0, found, 50)
    assert began_ms - windows.start(began_ms) == largest * FIRST_WINDOW_MS


def test_how_many_rows_are_asked_for_follows_how_large_they_were() -> None:
    sizes = Sizes()
    assert sizes.rows("acme", 200) == ROWS_MIN
    sizes.note("acme", 50, 50 * 2_000)
    assert [sizes.rows("acme", count) for count in (1, 50, 200)] == [50, 50, 200]
    assert sizes.rows("other", 200) == ROWS_MIN
    sizes.note("acme", 2, 2_000_000)
    assert sizes.rows("acme", 200) == ROWS_MIN
    for number in range(TENANTS_MAX):
        sizes.note(f"tenant-{number}", 1, 1_000)
    sizes.note("acme", 1, 1_000)
    assert [sizes.rows(f"tenant-{number}", 200) for number in (0, 1)] == [ROWS_MIN, 200]

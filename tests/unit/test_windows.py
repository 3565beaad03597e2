"""How a search divides its range: small windows first, then all that is left, each moment once."""

from typing import Any

import pytest

from contracts.clickhouse.search import Position
from contracts.criteria import Criteria
from query.cursor import Rest
from query.scan import FIRST_WINDOW_MS, Limits, Scan
from tests.builders import NO_ROWS

NOW_MS = 1_764_000_000_000
DAY_MS = 24 * 60 * 60 * 1000


async def asked(days: int) -> list[tuple[int, int]]:
    """The windows, newest first, of a search for a text that no event has."""
    windows: list[tuple[int, int]] = []

    async def select(
        sql: str, parameters: dict[str, Any] | None, settings: dict[str, Any]
    ) -> bytes:
        assert parameters is not None, sql
        assert settings["max_threads"] == 1
        windows.append((parameters["from_ms"], parameters["to_ms"]))
        return NO_ROWS

    scan = Scan(select, "events", Limits(1, 60.0, 1), "acme", Criteria(q="none"))
    async for _ in scan.newest_first(Rest(NOW_MS - days * DAY_MS, Position(NOW_MS)), 50):
        raise AssertionError("nothing was there")
    return windows


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is NOW_MS."""
    monkeypatch.setattr("time.time_ns", lambda: NOW_MS * 1_000_000)


async def test_what_is_recent_is_looked_at_first_and_a_month_in_four_windows() -> None:
    windows = await asked(30)
    assert windows[0] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS)
    assert len(windows) <= 4
    assert windows[-1][0] == NOW_MS - 30 * DAY_MS
    assert [begin for begin, _ in windows[:-1]] == [end for _, end in windows[1:]]


async def test_no_small_piece_is_left_for_the_end() -> None:
    for days in (1, 2, 7, 90, 365):
        windows = await asked(days)
        lengths = [end - begin for begin, end in windows]
        assert len(windows) == 1 or lengths[-1] > lengths[-2]

"""A search that reads for long ends its page and goes on at the next, without leaving anything out."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.clickhouse.search import Position
from contracts.criteria import Criteria
from query import scan
from query.cursor import Rest
from query.pages import Pages
from query.scan import Limits
from query.slots import Slots
from query.windows import FIRST_WINDOW_MS
from service.clickhouse import ClickHouseFailed
from tests.builders import NO_ROWS

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
TIMEOUT_S = 5.0
TEXT = Criteria(q="a")


class Slow:
    """A ClickHouse that finds nothing, and a clock that it moves."""

    def __init__(self, costs_s: list[float]) -> None:
        self.now_s = 0.0
        self.windows: list[tuple[int, int]] = []
        self._costs_s = costs_s

    def monotonic(self) -> float:
        """The time."""
        return self.now_s

    async def select(self, sql: str, parameters: Any, settings: Any) -> bytes:
        """Nothing, after its time."""
        self.now_s += self._costs_s[len(self.windows) % len(self._costs_s)]
        self.windows.append((parameters["from_ms"], parameters["to_ms"]))
        return NO_ROWS


class Large(Slow):
    """One that takes longer the more of the time it looks at, and stops at its deadline."""

    def __init__(self, query_s: float, day_s: float) -> None:
        super().__init__([])
        self._query_s, self._day_s = query_s, day_s
        self.wasted_s = 0.0

    async def select(self, sql: str, parameters: Any, settings: Any) -> bytes:
        """Nothing, or 159 (TIMEOUT_EXCEEDED)."""
        window = parameters["from_ms"], parameters["to_ms"]
        took_s = self._query_s + self._day_s * (window[1] - window[0]) / DAY_MS
        limit_s = settings["max_execution_time"]
        self.now_s += min(took_s, limit_s)
        if took_s > limit_s:
            self.wasted_s += limit_s
            raise ClickHouseFailed("timeout exceeded", 159)
        self.windows.append(window)
        return NO_ROWS


def pages_of(slow: Slow, days: int, criteria: Criteria = TEXT) -> list[float]:
    """How long each page of the search took."""
    pages = Pages(slow.select, "events", Limits(10**7, TIMEOUT_S, 2), Slots(1, 1, 5))
    took_s: list[float] = []

    async def walk() -> None:
        rest: Rest | None = Rest(NOW_MS - days * DAY_MS, Position(NOW_MS))
        while rest is not None:
            began_s = slow.now_s
            page = await pages.find("acme", criteria, rest, 50)
            assert page.events == []
            assert page.rest is None or page.rest.position < rest.position
            took_s.append(slow.now_s - began_s)
            rest = page.rest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "time", slow)
        asyncio.run(walk())
    return took_s


@settings(max_examples=30)
@given(st.lists(st.floats(0.001, 2), min_size=1, max_size=9), st.integers(1, 90))
def test_the_pages_together_read_the_whole_range_once(costs_s: list[float], days: int) -> None:
    slow = Slow(costs_s)
    assert len(pages_of(slow, days)) < 400
    assert slow.windows[0] == (NOW_MS - FIRST_WINDOW_MS, NOW_MS)
    assert slow.windows[-1][0] == NOW_MS - days * DAY_MS
    assert [start for start, _ in slow.windows[:-1]] == [end for _, end in slow.windows[1:]]


def test_a_page_ends_after_its_share_of_the_time() -> None:
    slow = Slow([0.4])
    took_s = pages_of(slow, 30)
    assert len(took_s) > 1
    assert max(took_s) < TIMEOUT_S / 5 + 0.5


def test_what_is_quick_is_one_page_of_few_windows() -> None:
    slow = Slow([0.002])
    assert len(pages_of(slow, 30)) == 1
    assert len(slow.windows) == 3


@settings(max_examples=40)
@given(
    st.floats(0.001, 0.3),
    st.floats(0.001, 60),
    st.integers(1, 10),
    st.sampled_from([TEXT, Criteria(q="a", entity_id="1")]),
)
def test_a_search_comes_to_its_end_however_slow_a_day_is(
    query_s: float, day_s: float, days: int, criteria: Criteria
) -> None:
    """What an index leaves, too, is asked for at once and may take too long: large payloads of one entity."""
    large = Large(query_s, day_s)
    assert max(pages_of(large, days, criteria)) < TIMEOUT_S + 0.001
    assert large.windows[0][1] == NOW_MS
    assert large.windows[-1][0] == NOW_MS - days * DAY_MS
    assert [start for start, _ in large.windows[:-1]] == [end for _, end in large.windows[1:]]
    needed_s = query_s + day_s * days
    assert large.now_s < 30 * query_s + 5 * needed_s + 2 * TIMEOUT_S

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
from tests.builders import NO_ROWS

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
TIMEOUT_S = 5.0


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


def pages_of(slow: Slow, days: int) -> list[float]:
    """How long each page of the search took."""
    pages = Pages(slow.select, "events", Limits(10**7, TIMEOUT_S, 2), Slots(1, 1, 5))
    took_s: list[float] = []

    async def walk() -> None:
        rest: Rest | None = Rest(NOW_MS - days * DAY_MS, Position(NOW_MS))
        while rest is not None:
            began_s = slow.now_s
            page = await pages.find("acme", Criteria(q="a"), rest, 50)
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

"""When a browser that has seen nothing before paints a page, and has all of it."""

import contextlib
import json
import statistics
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.console.browser import HEIGHTS, WIDE, executable

TOLD = """JSON.stringify({
  painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now(),
  whole: performance.getEntriesByType("navigation")[0].domContentLoadedEventEnd,
  requests: 1 + performance.getEntriesByType("resource").length,
  bytes: [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .reduce((sum, each) => sum + each.transferSize, 0),
})"""


class Painted(NamedTuple):
    """Ms from the navigation to the first paint and to the whole page; requests and bytes of it."""

    painted_ms: float
    whole_ms: float
    requests: int
    bytes: int


@contextlib.contextmanager
def browser() -> Iterator[Callable[[str, int], list[Painted]]]:
    """`look(url, times)`: each time in a window that has seen nothing, after one to start with."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable(), args=["--no-sandbox"])

        def look(url: str, times: int) -> list[Painted]:
            found = []
            for _ in range(times + 1):
                viewport = {"width": WIDE, "height": HEIGHTS[WIDE]}
                context = opened.new_context(viewport=viewport)  # type: ignore[arg-type]
                page = context.new_page()
                page.goto(url, wait_until="load", timeout=60_000)
                told = json.loads(page.evaluate(TOLD))
                found.append(
                    Painted(told["painted"], told["whole"], told["requests"], told["bytes"])
                )
                context.close()
            return found[1:]

        yield look
        opened.close()


def median(found: list[Painted]) -> Painted:
    """Of each figure."""
    return Painted(*(statistics.median(each) for each in zip(*found, strict=True)))

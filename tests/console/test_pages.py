"""Every page at both widths and in both schemes: no violation, no error, nothing too wide."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.console.browser import NARROW, WIDE, Looking, Scheme

PAGES = (
    "/search",
    "/search?range=15m&from=2001-01-01T00:00Z&to=2001-01-02T00:00Z",
    "/no-such-page",
)

Look = Callable[..., AbstractContextManager[Looking]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_every_page_can_be_read_by_everybody(look: Look, width: int, scheme: Scheme) -> None:
    with look(width, scheme) as window:
        for path in PAGES:
            window.go(path)
            window.check()


def test_pages_are_read_without_scripts(look: Look) -> None:
    with look(scripts=False) as window:
        page = window.go("/search")
        assert page.locator("table.rows tbody tr").count() > 20
        page.locator("table.rows a.row").first.click()
        assert page.locator("h1").inner_text() == "Event"

"""Every page at both widths and in both schemes: no violation, no error, nothing too wide."""

import re

from playwright.sync_api import expect

from tests.console.browser import Looking
from tests.console.looks import Look

NOTHING = "from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00Z"
PAGES = (
    "/search",
    "/search?q=type:FAULT&range=7d",
    f"/search?q=type:FAULT&{NOTHING}",
    "/search?q=nofield:1+type:NOTHING",
    "/no-such-page",
    "/events/0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b",
)


def a_fault(window: Looking) -> str:
    """The id of the newest fault."""
    page = window.go("/search?q=type:FAULT")
    return str(page.locator("tr[data-id]").first.get_attribute("data-id"))


def test_every_page_can_be_read_by_everybody(look: Look) -> None:
    with look() as window:
        event = a_fault(window)
        for path in (*PAGES, f"/events/{event}", f"/search?q=type:FAULT&event={event}"):
            window.go(path)
            window.check_everywhere()


def test_pages_are_read_without_scripts(look: Look) -> None:
    with look(scripts=False) as window:
        page = window.go("/search?q=type:FAULT")
        assert page.locator("table.rows tr[data-id]").count() == 50
        page.locator("table.rows a.row").first.click()
        assert "Fault" in page.locator(".panel [data-part=fault] h2").inner_text()
        page.locator(".panel [data-close]").click()
        expect(page.locator("[data-panel-open]")).to_have_count(0)
        page.locator("a[rel=next]").click()
        expect(page.locator("table.rows tr[data-id]").first).to_be_visible()
        page.locator(".range summary").click()
        page.locator(".range li a", has_text="Last 7 days").click()
        expect(page).to_have_url(re.compile("range=7d"))

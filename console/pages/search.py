"""The search."""

from starlette.responses import Response

from console.html import times
from console.page import Page
from contracts import paths


async def search(page: Page) -> Response:
    """The newest events of the range."""
    found = await page.api.post(
        paths.SEARCH,
        {
            "filter": {},
            "from": times.rfc_3339(page.range.from_ms),
            "to": times.rfc_3339(page.range.to_ms),
        },
    )
    return page.render("search.html", events=found["events"])

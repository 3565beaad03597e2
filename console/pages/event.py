"""One event."""

from starlette.responses import Response

from console.api import path
from console.page import Page
from contracts import paths


async def event(page: Page) -> Response:
    """The event that the path names."""
    found = await page.api.get(path(paths.EVENT, eventId=page.path("id")))
    return page.render("event.html", event=found)

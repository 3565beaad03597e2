"""The first page."""

from starlette.responses import Response

from console.page import Page


async def home(page: Page) -> Response:
    """To the search, until there is an overview."""
    return page.see("/search")

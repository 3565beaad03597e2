"""All subscriptions of the tenant, a page of them, each with how its queue does."""

from starlette.responses import Response

from console.health import with_health
from console.page import Page
from contracts import paths

LIMIT = 25
"""Of a page: the health of each is asked for."""


async def listed(page: Page) -> Response:
    """A page of them, in the order in which they were made."""
    found = await page.api.get(
        paths.SUBSCRIPTIONS, limit=LIMIT, cursor=page.query.get("cursor") or None
    )
    rows = await with_health(page, found["items"])
    following = page.here(cursor=found["next"]) if found["next"] else None
    return page.render("subscriptions/list.html", rows=rows, next=following)

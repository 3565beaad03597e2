"""All subscriptions of the tenant, a page of them, each with how its queue does."""

from typing import Any

from starlette.responses import Response

from console.api import gather, path
from console.page import Page
from console.reading.state import state_of
from contracts import paths

LIMIT = 25
"""Of a page: the health of each is asked for."""


async def listed(page: Page) -> Response:
    """A page of them, in the order in which they were made."""
    found = await page.api.get(
        paths.SUBSCRIPTIONS, limit=LIMIT, cursor=page.query.get("cursor") or None
    )
    items: list[dict[str, Any]] = found["items"]
    health = await gather(
        *(page.api.get(path(paths.HEALTH, id=each["id"])) for each in items),
    )
    rows = [
        {"it": each, "state": state_of(each, told), "health": told if is_told(told) else None}
        for each, told in zip(items, health, strict=True)
    ]
    following = page.here(cursor=found["next"]) if found["next"] else None
    return page.render("subscriptions/list.html", rows=rows, next=following)


def is_told(health: object) -> bool:
    """Whether the question for the health was answered."""
    return isinstance(health, dict)

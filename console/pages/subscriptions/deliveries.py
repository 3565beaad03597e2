"""What became of the events of a subscription: delivered, waiting, dead, cancelled."""

from starlette.responses import Response

from console.api import path
from console.page import Page
from contracts import paths

STATES = ("delivered", "waiting", "dead", "cancelled")
ATTEMPTS = {"delivered": "all delivered", "failed": "all failed", "dead": "all given up"}
"""In place of the latest one of each delivery."""
LIMIT = 50


async def deliveries(page: Page) -> Response:
    """A page of deliveries, newest first, of the page's time range."""
    subscription_id = page.path("id")
    subscription = await page.api.get(path(paths.SUBSCRIPTION, id=subscription_id))
    attempts = page.query.get("attempts") if page.query.get("attempts") in ATTEMPTS else None
    state = page.query.get("state") if page.query.get("state") in STATES else None
    if attempts:
        state = None  # is a delivery's, which has many
    found = await page.api.get(
        path(paths.DELIVERIES, id=subscription_id),
        state=state,
        attempts=attempts,
        code=page.query.get("code") or None,
        job_id=page.query.get("job") or None,
        cursor=page.query.get("cursor") or None,
        limit=LIMIT,
        from_=page.range.absolute["from"],
        to=page.range.absolute["to"],
    )
    following = page.here(cursor=found["next"], **page.range.absolute) if found["next"] else None
    return page.render(
        "subscriptions/deliveries.html",
        it=subscription,
        deliveries=found["deliveries"],
        next=following,
        state=state,
        states=STATES,
        attempts=attempts,
        all_attempts=ATTEMPTS,
        code=page.query.get("code", ""),
        job=page.query.get("job", ""),
    )

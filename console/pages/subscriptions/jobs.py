"""Redrives and replays: how far they are, and pause, resume, cancel."""

from starlette.responses import Response

from console.api import path
from console.page import Page
from contracts import paths

LIMIT = 50
WISHES = {"pause": paths.JOB_PAUSE, "resume": paths.JOB_RESUME, "cancel": paths.JOB_CANCEL}


async def jobs(page: Page) -> Response:
    """All jobs of the tenant or of one subscription, newest first."""
    subscription_id = page.query.get("subscription") or None
    found = await page.api.get(
        paths.JOBS,
        subscription_id=subscription_id,
        limit=LIMIT,
        cursor=page.query.get("cursor") or None,
    )
    following = page.here(cursor=found["next"]) if found["next"] else None
    return page.render(
        "subscriptions/jobs.html", jobs=found["jobs"], next=following, of=subscription_id
    )


async def job(page: Page) -> Response:
    """One of them; a script asks for the part that moves."""
    found = await page.api.get(path(paths.JOB, id=page.path("id")))
    template = "subscriptions/progress.html" if page.is_part else "subscriptions/job.html"
    return page.render(template, job=found)


async def change(page: Page) -> Response:
    """Pause, resume or cancel it."""
    wish = WISHES.get((await page.form()).get("wish", ""))
    if wish is not None:
        await page.api.post(path(wish, id=page.path("id")))
    return page.see(path("/jobs/{id}", id=page.path("id")))

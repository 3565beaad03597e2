"""Redrives and replays: how far they are, and pause, resume, cancel."""

from collections.abc import Iterable

from starlette.responses import Response

from console.api import gather, path
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
    names = await _names(page, (each["subscription_id"] for each in found["jobs"]))
    return page.render(
        "subscriptions/jobs.html",
        jobs=found["jobs"],
        next=following,
        of=subscription_id,
        names=names,
    )


async def job(page: Page) -> Response:
    """One of them; a script asks for the part that moves."""
    found = await page.api.get(path(paths.JOB, id=page.path("id")))
    if page.is_part:
        return page.render("subscriptions/progress.html", job=found)
    names = await _names(page, [found["subscription_id"]])
    return page.render("subscriptions/job.html", job=found, names=names)


async def change(page: Page) -> Response:
    """Pause, resume or cancel it."""
    wish = WISHES.get((await page.form()).get("wish", ""))
    if wish is not None:
        await page.api.post(path(wish, id=page.path("id")))
    return page.see(path("/jobs/{id}", id=page.path("id")))


async def _names(page: Page, ids: Iterable[str]) -> dict[str, str]:
    """The subscriptions' names by their ids, those of a page at most; one that is gone has none."""
    known = list(dict.fromkeys(ids))
    asked = (page.api.get(path(paths.SUBSCRIPTION, id=each)) for each in known)
    found = zip(known, await gather(*asked), strict=True)
    return {
        each: told["name"] for each, told in found if isinstance(told, dict) and told.get("name")
    }

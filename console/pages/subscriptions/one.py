"""One subscription: what it is, how its queue does, what is dead and why, and what can be done."""

import json
from collections.abc import Iterator
from typing import Any

from starlette.responses import Response

from console.api import Refused, gather, path
from console.page import PATTERN_CHARACTERS_MAX, Page
from console.reading.state import Document, state_of
from contracts import paths

DEAD_SHOWN = 10
CHANGES_SHOWN = 20
JOBS_SHOWN = 10


async def one(page: Page) -> Response:
    """The page of the subscription that the path names."""
    return await _shown(page)


async def again(page: Page) -> Response:
    """A link to what only forms are sent to, or that page loaded again: it does nothing."""
    return page.see(_here(page))


async def check(page: Page) -> Response:
    """What its queue answers, with a test message when that was asked for."""
    fields = await page.form()
    body = {"send_test": fields.get("send_test") == "1"}
    found = await page.api.post(_path(page, paths.CHECK), body)
    return await _shown(page, checked=found)


async def confirm(page: Page) -> Response:
    """Post the token of its queue back."""
    fields = await page.form()
    try:
        await page.api.post(_path(page, paths.CONFIRMATION), {"token": fields.get("token", "")})
    except Refused as refused:
        return await _shown(page, status=refused.status, refused=refused)
    return page.see(_here(page))


async def disable(page: Page) -> Response:
    """Send it nothing from now on; it keeps its position."""
    await page.form()
    await page.api.patch(_path(page, paths.SUBSCRIPTION), {"enabled": False})
    return page.see(_here(page))


async def enable(page: Page) -> Response:
    """Send it events again, those that it missed too, or from now on."""
    fields = await page.form()
    missed = "catch_up" if fields.get("missed") == "catch_up" else "skip"
    await page.api.patch(_path(page, paths.SUBSCRIPTION), {"enabled": True}, missed=missed)
    return page.see(_here(page))


async def delete(page: Page) -> Response:
    """Take it away for good, when its name was typed."""
    fields = await page.form()
    subscription = await page.api.get(_path(page, paths.SUBSCRIPTION))
    if fields.get("name") != subscription.get("name", subscription["id"]):
        wrong = Refused(
            400,
            {
                "title": "It was not deleted",
                "detail": "The name that was typed is not the subscription's.",
            },
        )
        return await _shown(page, status=400, refused=wrong)
    await page.api.send("DELETE", _path(page, paths.SUBSCRIPTION))
    return page.see("/subscriptions")


async def _shown(
    page: Page, status: int = 200, checked: Any = None, refused: Refused | None = None
) -> Response:
    if page.at != _here(page):
        page.stands_for = page.link(_here(page))
    it = await page.api.get(_path(page, paths.SUBSCRIPTION))
    health, dead, jobs, changes = await gather(
        page.api.get(_path(page, paths.HEALTH)),
        page.api.post(_path(page, paths.REDRIVE), {"dry_run": True}),
        page.api.get(paths.JOBS, limit=JOBS_SHOWN, subscription_id=it["id"]),
        page.api.get(_path(page, paths.CHANGES)),
    )
    pattern = json.dumps(it["filter"], ensure_ascii=False) if "filter" in it else ""
    return page.render(
        "subscriptions/one.html",
        status,
        it=it,
        state=state_of(it, health),
        pattern=pattern if len(pattern) <= PATTERN_CHARACTERS_MAX else None,
        health=health,
        dead=dead,
        jobs=jobs,
        changes=changes,
        changes_shown=CHANGES_SHOWN,
        members=_members,
        checked=checked,
        refused=refused,
    )


def _members(change: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """What a change changed: name, before and after; nothing of what was made or deleted whole."""
    before, after = change["before"], change["after"]
    return [] if before is None or after is None else list(_differing(before, after))


def _differing(
    before: Document, after: Document, above: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    for name in dict.fromkeys((*before, *after)):
        was, is_ = before.get(name), after.get(name)
        if isinstance(was, dict) and isinstance(is_, dict) and not above:
            yield from _differing(was, is_, f"{name}.")
        elif was != is_:
            yield above + name, was, is_


def _path(page: Page, template: str) -> str:
    return path(template, id=page.path("id"))


def _here(page: Page) -> str:
    return path("/subscriptions/{id}", id=page.path("id"))

"""Sending again: a redrive of what is dead, a replay of a range; counted first, then begun as a job."""

from functools import partial
from typing import Any

import msgspec
from starlette.responses import Response

from console.api import Refused, path
from console.page import Page
from console.pages.subscriptions.pattern import Unfit, raw_json, whole_number
from contracts import paths
from contracts.criteria import instant_ms, rfc_3339
from contracts.resending import REPLAY_MESSAGES_PER_S

DAY_MS = 24 * 3_600_000


async def redrive(page: Page) -> Response:
    """What would be sent again of what is dead."""
    return await _counted(page, "redrive", dict(page.query))


async def replay(page: Page) -> Response:
    """What would be sent again of the page's time range."""
    return await _counted(page, "replay", dict(page.query))


async def begin_redrive(page: Page) -> Response:
    """Make the job."""
    return await _begun(page, "redrive", paths.REDRIVE)


async def begin_replay(page: Page) -> Response:
    """Make the job."""
    return await _begun(page, "replay", paths.REPLAY)


async def _counted(
    page: Page, kind: str, values: dict[str, str], wrong: Refused | None = None
) -> Response:
    subscription_id = page.path("id")
    subscription = await page.api.get(path(paths.SUBSCRIPTION, id=subscription_id))
    preview, refused = None, wrong
    template = paths.REDRIVE if kind == "redrive" else paths.REPLAY
    try:
        body = msgspec.json.encode(_asked(page, kind, values) | {"dry_run": True})
        preview = await page.api.post(path(template, id=subscription_id), body)
    except Refused as error:
        refused = wrong or error
    return page.render(
        "subscriptions/resend.html",
        wrong.status if wrong else 200,
        it=subscription,
        kind=kind,
        values=values,
        preview=preview,
        refused=refused,
        rate=REPLAY_MESSAGES_PER_S,
        narrower=partial(_narrower, page, kind),
    )


def _narrower(page: Page, kind: str, of: str) -> str:
    """The same of one of the counts alone: an error code, or what of the range is in a day of UTC."""
    if kind == "redrive":
        return page.here(code=of)
    day_ms = instant_ms(f"{of}T00:00:00Z")
    from_ms, to_ms = max(day_ms, page.range.from_ms), min(day_ms + DAY_MS, page.range.to_ms)
    return page.here(from_=rfc_3339(from_ms), to=rfc_3339(to_ms))


async def _begun(page: Page, kind: str, template: str) -> Response:
    values = await page.form()
    try:
        body = msgspec.json.encode(_asked(page, kind, values))
        made = await page.api.post(path(template, id=page.path("id")), body)
    except Refused as error:
        return await _counted(page, kind, values, error)
    return page.see(path("/jobs/{id}", id=made["id"]))


def _asked(page: Page, kind: str, values: dict[str, str]) -> dict[str, Any]:
    """The body for the API. Raises `Refused` 400 for what cannot be sent."""
    body: dict[str, Any] = {}
    if kind == "replay" or values.get("within") == "range":
        body |= page.range.absolute
    if kind == "replay" and values.get("all") == "1":
        body["all"] = True
    if code := values.get("code"):
        body["codes"] = [code]
    if event := values.get("event"):
        body["event_ids"] = [event]
    try:
        if rate := values.get("messages_per_s", "").strip():
            body["messages_per_s"] = whole_number("Messages a second", rate)
        if pattern := values.get("filter", "").strip():
            body["filter"] = raw_json("The pattern", pattern)
    except Unfit as wrong:
        detail = f"{wrong.field}: {wrong}."
        raise Refused(400, {"title": "This cannot be counted", "detail": detail}) from None
    return body

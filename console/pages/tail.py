"""A live tail as server-sent events (HTML, section 9.2): rows as the search has them, as they come.

The URL says what the list has that is shown already; each answer's id is the time until which all was told,
which the browser repeats when it comes again.
"""

import json
import random
import re
import time
from collections.abc import AsyncIterator

from starlette.datastructures import QueryParams
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from console.api import Refused
from console.html.times import duration
from console.line.given import given
from console.live.follower import Follower, Since
from console.live.question import BEHIND_MAX_MS
from console.live.tails import TooManyTails
from console.page import NO_STORE, Page
from console.reading.seen import Row
from console.session import NotSignedIn

SILENCE_S = 15.0
"""After so long without an event something is sent, so that proxies keep the connection."""
LASTS_S = 600.0
"""At most; then the browser comes again, and is asked again who it is."""
AGAIN_MS = 2_000
AFTER_FAILURE_MS = 15_000
"""When the browser comes again."""


async def tail(page: Page) -> Response:
    """Rows of what the search line asks for, since the list that shows others was made."""
    line, since = given(page.query), since_of(page)
    body: dict[str, object] = {"filter": line.pattern, **line.beside}
    await page.session.access_token()
    key = json.dumps(body, sort_keys=True)
    page.at = "/search"
    following = page.site.tails.follow(page.session, key, body, since)
    try:
        follower = await following.__aenter__()
    except TooManyTails as error:  # a script reads it
        return PlainTextResponse(f"{error}\n", 429 if error.of_tenant else 503, NO_STORE)

    async def events() -> AsyncIterator[str]:
        try:
            async for text in _told(page, follower):
                yield text
        finally:
            await following.__aexit__(None, None, None)

    headers = NO_STORE | {"X-Accel-Buffering": "no"}
    return StreamingResponse(events(), 200, headers, "text/event-stream")


def since_of(page: Page) -> Since:
    """What the list has: of a browser that comes again, until what it was told. Raises `Refused` 400."""
    last, now_ms = page.request.headers.get("last-event-id"), page.now_ms
    at_ms = _number("since", last or page.query.get("since", ""), now_ms)
    floor_ms = _number("floor", page.query.get("floor", ""), 0)
    has = 0 if last else _number("has", page.query.get("has", ""), 0)
    return Since(min(at_ms, now_ms), min(floor_ms, now_ms), has)


def _number(name: str, text: str, default: int) -> int:
    if not text:
        return default
    if not re.fullmatch("[0-9]{1,14}", text):
        detail = f"{name} is {text[:20]!r}, no whole number: milliseconds since 1970, or events."
        raise Refused(400, {"title": "No live tail", "detail": detail})
    return int(text)


async def _told(page: Page, follower: Follower) -> AsyncIterator[str]:
    lasts_s = LASTS_S * random.uniform(0.5, 1)  # noqa: S311 - what was opened together comes back apart
    until_s = time.monotonic() + lasts_s
    # a row's links say what is asked for, not since when
    shared = ("tenant", "q", "filter", "range")
    alike = (str(page.zone), *(page.query.get(name) for name in shared))
    page.query = QueryParams({n: page.query[n] for n in shared if n in page.query})
    at_ms = follower.since.at_ms

    def render(events: list[Row]) -> str:
        return page.text("rows.html", events=events, opened=None)

    yield f"retry: {AGAIN_MS}\n\n"
    while time.monotonic() < until_s:
        told = await follower.next(SILENCE_S)
        try:
            await page.session.access_token()
        except NotSignedIn:  # it ended, or one signed out in another window
            return
        if told is None and follower.over:
            yield f"retry: {AFTER_FAILURE_MS}\n\n"
            return
        if told is None:
            yield ": still here\n\n"
            continue
        batch, missed = told
        at_ms = at_ms if batch.failure else batch.until_ms
        data = {
            "count": len(batch.events),
            "missed": missed,
            "more": batch.or_more,
            "failure": batch.failure,
            "behind": _behind(batch.behind_ms),
        }
        if batch.events:
            data["rows"] = batch.rendered(alike, render)
        yield f"id: {at_ms}\nevent: batch\ndata: {json.dumps(data)}\n\n"


def _behind(behind_ms: int) -> str:
    if not behind_ms:
        return ""
    told = f"What can be found is {duration(behind_ms / 1000)} behind: events come late"
    return told + (", and some may be missing here." if behind_ms > BEHIND_MAX_MS else ".")

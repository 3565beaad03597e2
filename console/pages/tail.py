"""A live tail as server-sent events (HTML, section 9.2): rows as the search has them, as they come."""

import json
import time
from collections.abc import AsyncIterator

from starlette.responses import Response, StreamingResponse

from console.api import Refused
from console.line.given import given
from console.page import NO_STORE, Page
from console.reading.seen import Row
from console.session import NotSignedIn
from console.tails import Follower, TooManyTails

SILENCE_S = 15.0
"""After so long without an event a comment is sent, so that proxies keep the connection."""
LASTS_S = 600.0
"""Then the browser comes again, and is asked again who it is."""


async def tail(page: Page) -> Response:
    """Rows of what the search line asks for, from now on."""
    line = given(page.query)
    body: dict[str, object] = {"filter": line.pattern}
    if line.q is not None:
        body["q"] = line.q
    await page.session.access_token()
    key = json.dumps(body, sort_keys=True)
    page.at = "/search"
    following = page.site.tails.follow(page.session, key, body)
    try:
        follower = await following.__aenter__()
    except TooManyTails as error:
        raise Refused(503, {"title": "Too many live tails", "detail": str(error)}) from None

    async def events() -> AsyncIterator[str]:
        try:
            async for text in _told(page, follower):
                yield text
        finally:
            await following.__aexit__(None, None, None)

    headers = NO_STORE | {"X-Accel-Buffering": "no"}
    return StreamingResponse(events(), 200, headers, "text/event-stream")


async def _told(page: Page, follower: Follower) -> AsyncIterator[str]:
    until_s = time.monotonic() + LASTS_S
    alike = (str(page.zone), page.request.url.query)

    def render(events: list[Row]) -> str:
        return page.text("rows.html", events=events, opened=None)

    yield "retry: 2000\n\n"
    while time.monotonic() < until_s and not follower.over:
        told = await follower.next(SILENCE_S)
        try:
            await page.session.access_token()
        except NotSignedIn:  # it ended, or one signed out in another window
            return
        if told is None:
            yield ": still here\n\n"
            continue
        batch, missed = told
        data = {"count": len(batch.events), "missed": missed, "failure": batch.failure}
        if batch.events:
            data["rows"] = batch.rendered(alike, render)
        yield f"event: batch\ndata: {json.dumps(data)}\n\n"

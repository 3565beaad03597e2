"""What was received in a stretch of time, asked of the API: a bounded number of events, the newest."""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple

from console.api import Caller, Unanswered
from console.reading.seen import Row, seen
from contracts import paths
from contracts.criteria import rfc_3339

OVERLAP_MS = 10_000
"""An event becomes visible a moment after its time, so each question reaches back."""
BEHIND_MAX_MS = 600_000
"""And as far as the view is behind, no further: then the reader is told that some may be missing."""
PAGE = 200
PAGES_MAX = 5
"""Of one question: what is more in a second than these hold cannot be read by anybody."""
QUESTION_S = 5.0
"""A page that takes longer is not waited for, and after so long no further one is asked for."""


class Found(NamedTuple):
    """Events, newest first, and whether there are more that were not asked for."""

    events: list[Row]
    more: bool


async def received(
    caller: Caller,
    turn: Callable[[], AbstractAsyncContextManager[None]],
    body: dict[str, Any],
    from_ms: int,
    to_ms: int,
    known: Collection[str] = (),
) -> Found:
    """What `body` asks for of [from_ms, to_ms), a turn for each page. Raises `Refused`, `Unanswered`.

    A page whose events are all `known` is the last: those before it were found by the question before.
    """
    asked = body | {"from": rfc_3339(from_ms), "to": rfc_3339(to_ms), "limit": PAGE}
    events: list[Row] = []
    left_s = QUESTION_S
    for _ in range(PAGES_MAX):
        async with turn():
            began_s = time.monotonic()
            found = await _answered(caller, asked)
            left_s -= time.monotonic() - began_s
        page = [each.row for each in seen(found)]
        events += page
        if found["next"] is None or (page and all(each.id in known for each in page)):
            return Found(events, more=False)
        if left_s <= 0:
            break
        asked["cursor"] = found["next"]
    return Found(events, more=True)


async def _answered(caller: Caller, asked: dict[str, Any]) -> Any:
    try:
        async with asyncio.timeout(QUESTION_S):
            return await caller.post(paths.SEARCH, asked)
    except TimeoutError:
        raise Unanswered(f"The API did not answer within {QUESTION_S:g} s.") from None

"""What was received in a stretch of time, asked of the API: a bounded number of events, the newest."""

from collections.abc import Collection
from typing import Any, NamedTuple

from console.api import Caller
from console.reading.seen import Row, seen
from contracts import paths
from contracts.criteria import rfc_3339

OVERLAP_MS = 10_000
"""An event becomes visible a moment after its time, so each question reaches back."""
PAGE = 200
PAGES_MAX = 5
"""Of one question: what is more in a second than these hold cannot be read by anybody."""


class Found(NamedTuple):
    """Events, newest first, and whether there are more that were not asked for."""

    events: list[Row]
    more: bool


async def received(
    caller: Caller, body: dict[str, Any], from_ms: int, to_ms: int, known: Collection[str] = ()
) -> Found:
    """What `body` asks for of [from_ms, to_ms) and is not `known`. Raises `Refused`, `Unanswered`.

    A page of known events ends it: those before it were found by the question before.
    """
    asked = body | {"from": rfc_3339(from_ms), "to": rfc_3339(to_ms), "limit": PAGE}
    new: list[Row] = []
    for _ in range(PAGES_MAX):
        found = await caller.post(paths.SEARCH, asked)
        page = [each.row for each in seen(found)]
        fresh = [each for each in page if each.id not in known]
        new += fresh
        if found["next"] is None or (page and not fresh):
            return Found(new, more=False)
        asked["cursor"] = found["next"]
    return Found(new, more=True)

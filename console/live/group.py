"""A tenant and what is asked for: a question each second, for as long as anybody follows.

Whoever comes is told what was received since their page was made, or since they were cut off: the group's
next question reaches back to then. Questions overlap, for an event becomes visible a moment after its time,
and as long after it as the view is behind. So a follower may be told one twice: it knows what it shows by
its id.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from functools import partial
from typing import Any

from console.api import Api, Refused, Unanswered
from console.live.follower import Batch, Follower, Since
from console.live.question import (
    BEHIND_MAX_MS,
    OVERLAP_MS,
    PAGE,
    PAGES_MAX,
    Found,
    received,
)
from console.live.turns import Turns
from console.live.view import View
from console.session import NotSignedIn, Session

log = logging.getLogger(__name__)

POLL_S = 1.0
PAUSE_MAX_S = 15.0
KNOWN_MAX = 2 * PAGE * PAGES_MAX


class Group:
    """Followers of the same, and the task that asks for them."""

    def __init__(
        self, api: Api, turns: Turns, view: View, tenant: str, body: dict[str, Any]
    ) -> None:
        self._api = api
        self._turn = partial(turns.taken, tenant)
        self._view = view
        self._body = body
        self._coming: dict[Follower, None] = {}
        self._followers: dict[Follower, None] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._until_ms = _now_ms()
        self._is_late = False
        self._task: asyncio.Task[None] | None = None

    def enter(self, follower: Follower) -> None:
        """It is told what came since its list was made, and from then on what is new."""
        self._coming[follower] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask_on(), name="tail")

    def leave(self, follower: Follower) -> int:
        """How many are left; without any the questions end."""
        self._coming.pop(follower, None)
        self._followers.pop(follower, None)
        left = len(self._all())
        if not left:
            self.end()
        return left

    def end(self) -> None:
        """Nothing is asked any more."""
        if self._task is not None:
            self._task.cancel()

    def _all(self) -> list[Follower]:
        return [*self._followers, *self._coming]

    async def _ask_on(self) -> None:
        """Each question is asked with the token of whoever has followed for the longest and still may."""
        pause_s = POLL_S
        try:
            while asking := next((each for each in self._all() if not each.over), None):
                coming = [each for each in self._coming if not each.over]
                try:
                    await self._ask(asking.session, coming)
                    pause_s = POLL_S
                except NotSignedIn:
                    asking.end()
                    continue
                except (Refused, Unanswered) as error:
                    if self._is_settled(error, asking, coming):
                        continue
                    _tell(self._all(), Batch([], self._until_ms, failure=str(error)))
                    pause_s = min(2 * pause_s, PAUSE_MAX_S)
                await asyncio.sleep(pause_s)
        except Exception:
            log.exception("a tail ended")
            for each in self._all():
                each.end("The console failed; its log says why.")

    def _is_settled(
        self, error: Refused | Unanswered, asking: Follower, coming: list[Follower]
    ) -> bool:
        """Whether it was the fault of one, and the others can be asked for at once."""
        status = getattr(error, "status", 503)
        if status in (401, 403):
            asking.end(str(error))
        elif status == 400 and coming:  # too long ago for the API to look through
            oldest = min(coming, key=lambda each: each.since)
            self._take(oldest, Batch([], oldest.since.at_ms, or_more=True))
        else:
            return False
        return True

    async def _ask(self, session: Session, coming: list[Follower]) -> None:
        """Ask from where the last answered question ended, or somebody's list does, and tell all."""
        caller, now_ms = self._api.of(session), _now_ms()
        visible_ms = await self._view.until_ms(caller, now_ms)
        until_ms = max(visible_ms, now_ms - BEHIND_MAX_MS)
        starts = [_begin(each.since, until_ms) for each in coming]
        if self._followers:
            starts.append(self._until_ms - OVERLAP_MS)
        known = () if coming or self._is_late else self._known
        from_ms, to_ms = min(starts), now_ms + OVERLAP_MS
        found = await received(caller, self._turn, self._body, from_ms, to_ms, known)
        was_late, behind_ms = self._is_late, now_ms - visible_ms
        self._is_late = behind_ms > OVERLAP_MS
        batch = self._new(found, until_ms)
        batch.behind_ms = behind_ms if self._is_late else 0
        if batch.events or self._is_late or was_late:
            _tell(self._followers, batch)
        for each in coming:
            newer = _since(found, each.since, until_ms)
            newer.behind_ms = batch.behind_ms
            self._take(each, newer)
        self._until_ms = until_ms

    def _new(self, found: Found, until_ms: int) -> Batch:
        """What those who follow have not been told."""
        there, more = _after(found, self._until_ms - OVERLAP_MS)
        new = [each for each in there if each.id not in self._known]
        for each in reversed(found.events):
            self._known[each.id] = None
            self._known.move_to_end(each.id)
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return Batch(new[:PAGE], until_ms, max(0, len(new) - PAGE), more)

    def _take(self, follower: Follower, batch: Batch) -> None:
        """Tell who came what it has not seen: from now on it follows, unless it has left."""
        if follower in self._coming:
            del self._coming[follower]
            self._followers[follower] = None
            follower.tell(batch)


def _since(found: Found, since: Since, until_ms: int) -> Batch:
    """What is newer than a list, or how much when that is too much; and what became visible late."""
    events, more = _after(found, _begin(since, until_ms))
    newer = len(_after(found, max(since.at_ms, since.floor_ms)).events)
    if newer - since.has > PAGE:
        return Batch([], until_ms, newer - since.has, more)
    return Batch(events[: newer + PAGE], until_ms, 0, more)


def _begin(since: Since, until_ms: int) -> int:
    """From when on there may be what a list has not; it is told nothing older than its last event."""
    return max(min(since.at_ms, until_ms) - OVERLAP_MS, since.floor_ms)


def _after(found: Found, from_ms: int) -> Found:
    """What of it was received since then; there is no more where it reaches further back."""
    events = [each for each in found.events if (each.received_ms or from_ms) >= from_ms]
    return Found(events, found.more and len(events) == len(found.events))


def _tell(followers: Iterable[Follower], batch: Batch) -> None:
    for each in followers:
        each.tell(batch)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000

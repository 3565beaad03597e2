"""A tenant and what is asked for: a question each second, for as long as anybody follows.

Whoever comes is told what was received since their page was made, or since they were cut off, and what the
group finds from then on. Questions overlap, for an event becomes visible a moment after its time, so a
follower may be told one twice: it knows what it shows by its id.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from typing import Any

from console.api import Api, Refused, Unanswered
from console.live.follower import Batch, Follower
from console.live.question import OVERLAP_MS, PAGE, PAGES_MAX, received
from console.live.turns import Turns
from console.reading.seen import Row
from console.session import NotSignedIn, Session

log = logging.getLogger(__name__)

POLL_S = 1.0
PAUSE_MAX_S = 15.0
KNOWN_MAX = 2 * PAGE * PAGES_MAX


class Group:
    """Followers of the same, and the task that asks for them."""

    def __init__(self, api: Api, turns: Turns, tenant: str, body: dict[str, Any]) -> None:
        self._api = api
        self._turns = turns
        self._tenant = tenant
        self._body = body
        self._followers: dict[Follower, None] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._primed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def enter(self, follower: Follower) -> None:
        """From now on it is told what is new."""
        self._followers[follower] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask_on(), name="tail")
            self._task.add_done_callback(say_if_failed)

    def leave(self, follower: Follower) -> int:
        """How many are left; without any the questions end."""
        del self._followers[follower]
        if not self._followers:
            self.end()
        return len(self._followers)

    def end(self) -> None:
        """Nothing is asked any more."""
        if self._task is not None:
            self._task.cancel()

    async def catch_up(self, follower: Follower) -> None:
        """Tell it what came since its list was made: a count alone when that is too much for a list.

        Asked after the group's first question, so that what neither finds is found by the second.
        """
        await self._primed.wait()
        since, pause_s = follower.since, POLL_S
        from_ms = max(since.at_ms - OVERLAP_MS, since.floor_ms)
        while not follower.over:
            try:
                async with self._turns.taken(self._tenant):
                    now_ms = _now_ms()
                    caller = self._api.of(follower.session)
                    new, more = await received(caller, self._body, from_ms, now_ms + OVERLAP_MS)
                    follower.tell(_since(new, more, since.at_ms, now_ms))
                return
            except NotSignedIn:
                follower.end()
            except (Refused, Unanswered) as error:
                if getattr(error, "status", 503) == 400:  # too long ago for the API to look through
                    follower.tell(Batch([], _now_ms(), or_more=True, catches_up=True))
                    return
                follower.tell(Batch([], since.at_ms, failure=str(error)))
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
                await asyncio.sleep(pause_s)

    async def _ask_on(self) -> None:
        """Each question begins where the last that was answered ended, and before; the first is not told."""
        asked_ms, pause_s = _now_ms(), POLL_S
        while oldest := next((each for each in self._followers if not each.over), None):
            try:
                async with self._turns.taken(self._tenant):
                    batch = await self._ask(oldest.session, asked_ms)
                    asked_ms, pause_s = batch.asked_ms, POLL_S
                    if batch.events and self._primed.is_set():
                        self._tell(batch)
                    self._primed.set()
            except NotSignedIn:
                oldest.end()
                continue
            except (Refused, Unanswered) as error:
                self._tell(Batch([], asked_ms, failure=str(error)))
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            await asyncio.sleep(pause_s)

    def _tell(self, batch: Batch) -> None:
        for follower in self._followers:
            follower.tell(batch)

    async def _ask(self, session: Session, since_ms: int) -> Batch:
        """What is new; with the token of whoever has followed for the longest and still may."""
        now_ms = _now_ms()
        from_ms, to_ms = since_ms - OVERLAP_MS, now_ms + OVERLAP_MS
        new, more = await received(self._api.of(session), self._body, from_ms, to_ms, self._known)
        for each in new:
            self._known[each.id] = None
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return Batch(new[:PAGE], now_ms, max(0, len(new) - PAGE), more)


def _since(found: list[Row], more: bool, at_ms: int, now_ms: int) -> Batch:
    """What is newer than the list, or how much when that is too much; and what became visible late."""
    newer = [each for each in found if (each.received_ms or at_ms) >= at_ms]
    if more or len(newer) > PAGE:
        return Batch([], now_ms, len(newer), more, catches_up=True)
    return Batch(found[: len(newer) + PAGE], now_ms, catches_up=True)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def say_if_failed(task: asyncio.Task[None]) -> None:
    """A fault of ours in a task that nobody waits for."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a tail ended", exc_info=error)

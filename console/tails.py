"""Live tails: what is received from now on, asked of the API once for all who look at the same.

A group is a tenant and what is asked for; it asks each second for as long as anybody follows it. Each
follower has a short queue: who does not take what is there misses some and is told how many. An event
becomes visible a moment after its time, so each question reaches back, and ids that were told are known.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from console.api import Api, Refused, Unanswered
from console.reading.seen import Row, seen
from console.session import NotSignedIn, Session
from contracts import paths
from contracts.criteria import rfc_3339

log = logging.getLogger(__name__)

POLL_S = 1.0
PAUSE_MAX_S = 15.0
OVERLAP_MS = 10_000
PAGE = 200
PAGES_MAX = 5
"""Of one question: what is more in a second than these hold cannot be read by anybody."""
KNOWN_MAX = 2 * PAGE * PAGES_MAX
ASKED_AT_ONCE = 4
"""Questions of a process; the API has few slots for searches, and people come first."""
WAITING_MAX = 8
"""Batches that wait for one follower."""


class Batch:
    """What one question found, oldest of it last; rendered once for all who are shown it alike."""

    def __init__(self, events: list[Row], missed: int = 0, failure: str = "") -> None:
        self.events = events
        self.missed = missed
        self.failure = failure
        self._rendered: dict[object, str] = {}

    def rendered(self, key: object, render: Callable[[list[Row]], str]) -> str:
        """The events as `render` has them; once for each key."""
        if key not in self._rendered:
            self._rendered[key] = render(self.events)
        return self._rendered[key]


class Follower:
    """One open tail."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._waiting: deque[Batch] = deque(maxlen=WAITING_MAX)
        self._there = asyncio.Event()
        self._missed = 0
        self.over = False

    def end(self) -> None:
        """Its session has ended: nothing more comes."""
        self.over = True
        self._there.set()

    def tell(self, batch: Batch) -> None:
        """Put a batch in the queue; the oldest is dropped from a full one, and counted."""
        if len(self._waiting) == WAITING_MAX:
            self._missed += len(self._waiting[0].events)
        self._waiting.append(batch)
        self._there.set()

    async def next(self, timeout_s: float) -> tuple[Batch, int] | None:
        """The next batch and how many events were missed before it; None when none came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._there.wait()
        if not self._waiting:
            return None
        batch, missed, self._missed = self._waiting.popleft(), self._missed, 0
        if not self._waiting:
            self._there.clear()
        return batch, missed + batch.missed


class TooManyTails(Exception):
    """The process has as many as it may."""


class Tails:
    """All tails of a process."""

    def __init__(self, api: Api, tails_max: int) -> None:
        self._api = api
        self._max = tails_max
        self._groups: dict[object, _Group] = {}
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)
        self.count = 0

    @contextlib.asynccontextmanager
    async def follow(
        self, session: Session, key: object, body: dict[str, Any]
    ) -> AsyncIterator[Follower]:
        """What `body` asks for from now on; `key` is the same for the same. Raises `TooManyTails`."""
        if self.count >= self._max:
            raise TooManyTails(f"{self._max:,} tails are open, which is the limit.")
        group_key = (session.tenant, key)
        group = self._groups.get(group_key)
        if group is None:
            group = self._groups[group_key] = _Group(self._api, self._turns, body)
        follower = Follower(session)
        self.count += 1
        group.enter(follower)
        try:
            yield follower
        finally:
            self.count -= 1
            if not group.leave(follower):
                del self._groups[group_key]

    async def stop(self) -> None:
        """End all questions."""
        for group in self._groups.values():
            group.end()


class _Group:
    """Followers of the same, and the task that asks for them."""

    def __init__(self, api: Api, turns: asyncio.Semaphore, body: dict[str, Any]) -> None:
        self._api = api
        self._turns = turns
        self._body = body
        self._followers: dict[Follower, None] = {}
        self._known: OrderedDict[str, None] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def enter(self, follower: Follower) -> None:
        self._followers[follower] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._ask_on(), name="tail")
            self._task.add_done_callback(_say_if_failed)

    def leave(self, follower: Follower) -> int:
        """How many are left; without any the questions end."""
        del self._followers[follower]
        if not self._followers:
            self.end()
        return len(self._followers)

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _ask_on(self) -> None:
        began_ms, pause_s = time.time_ns() // 1_000_000, POLL_S
        while oldest := next((each for each in self._followers if not each.over), None):
            try:
                async with self._turns:
                    batch = await self._ask(oldest.session, began_ms)
                pause_s = POLL_S
            except NotSignedIn:
                oldest.end()
                continue
            except (Refused, Unanswered) as error:
                batch = Batch([], failure=str(error))
                pause_s = min(2 * pause_s, PAUSE_MAX_S)
            if batch.events or batch.failure:
                for follower in self._followers:
                    follower.tell(batch)
            await asyncio.sleep(pause_s)

    async def _ask(self, session: Session, began_ms: int) -> Batch:
        """What is new; with the token of whoever has followed for the longest and still may."""
        now_ms = time.time_ns() // 1_000_000
        caller = self._api.of(session)
        body = self._body | {
            "from": rfc_3339(max(began_ms, now_ms - OVERLAP_MS)),
            "to": rfc_3339(now_ms + OVERLAP_MS),
            "limit": PAGE,
        }
        new: list[Row] = []
        for _ in range(PAGES_MAX):
            found = await caller.post(paths.SEARCH, body)
            page = [each.row for each in seen(found)]
            fresh = [each for each in page if each.id not in self._known]
            new += fresh
            if found["next"] is None or not fresh:
                return self._noted(new)
            body["cursor"] = found["next"]
        return self._noted(new)

    def _noted(self, new: list[Row]) -> Batch:
        for each in new:
            self._known[each.id] = None
        while len(self._known) > KNOWN_MAX:
            self._known.popitem(last=False)
        return Batch(new[:PAGE], missed=max(0, len(new) - PAGE))


def _say_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a tail ended", exc_info=error)

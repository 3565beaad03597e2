"""One open tail and what it is told; who does not take what is there misses some, counted."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from console.reading.seen import Row
from console.session import Session

WAITING_MAX = 8
"""Batches that wait for one follower."""


class Batch:
    """What one question found, oldest of it last; rendered once for all who are shown it alike.

    All received before `until_ms`, ms since 1970, was told with it: whoever comes back names it and is told
    what came since.
    `missed` events were found and are not in it, at least so many when that is `or_more`.
    `behind_ms` is how far the view is behind, 0 when that is no more than a moment.
    """

    def __init__(
        self,
        events: list[Row],
        until_ms: int,
        missed: int = 0,
        or_more: bool = False,
        failure: str = "",
    ) -> None:
        self.events = events
        self.until_ms = until_ms
        self.missed = missed
        self.or_more = or_more
        self.failure = failure
        self.behind_ms = 0
        self._rendered: dict[object, str] = {}

    def rendered(self, key: object, render: Callable[[list[Row]], str]) -> str:
        """The events as `render` has them; once for each key."""
        if key not in self._rendered:
            self._rendered[key] = render(self.events)
        return self._rendered[key]


class Since(NamedTuple):
    """Where a follower's list ends above: it has all received until `at_ms`, and none before `floor_ms`.

    Of what was received later it `has` so many, for the view need not have been behind with all.
    """

    at_ms: int
    floor_ms: int = 0
    has: int = 0


class Follower:
    """One open tail."""

    def __init__(self, session: Session, since: Since) -> None:
        self.session = session
        self.since = since
        self._waiting: deque[Batch] = deque(maxlen=WAITING_MAX)
        self._there = asyncio.Event()
        self._missed = 0
        self.over = False

    def end(self, why: str = "") -> None:
        """Nothing more comes; `why`, unless its session has ended."""
        if why:
            self.tell(Batch([], self.since.at_ms, failure=why))
        self.over = True
        self._there.set()

    def tell(self, batch: Batch) -> None:
        """Put a batch in the queue; the oldest is dropped from a full one, and counted."""
        if len(self._waiting) == WAITING_MAX:
            self._missed += len(self._waiting[0].events)
        self._waiting.append(batch)
        self._there.set()

    async def next(self, timeout_s: float) -> tuple[Batch, int] | None:
        """The next batch and how many events were missed before it; None when none came."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._there.wait()
        if not self._waiting:
            return None
        batch, missed, self._missed = self._waiting.popleft(), self._missed, 0
        if not self._waiting and not self.over:
            self._there.clear()
        return batch, missed + batch.missed

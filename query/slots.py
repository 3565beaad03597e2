"""Who may search now: ClickHouse runs a few searches at once, and tenants that wait take turns.

However many one tenant asks for, another one's search is the next but those under way. The last quarter
of the places to wait is for tenants that have less than a quarter of them.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from functools import cached_property

Turn = asyncio.Future[None]


class TooManySearches(Exception):
    """More searches wait than may, or one waited until its deadline."""


class Slots:
    """Lets `queries_max` searches run at once while at most `waiting_max` wait, each so many seconds."""

    def __init__(self, queries_max: int, waiting_max: int, timeout_s: float) -> None:
        self._queries_max = self._free = queries_max
        self._waiting_max = waiting_max
        self._kept = waiting_max // 4
        self._timeout_s = timeout_s
        self._waiting: dict[str, deque[Turn]] = {}
        """By tenant, in the order of their turns; none is empty."""

    @cached_property
    def long(self) -> "Slots":
        """For what may take all of its time, to be taken before one of these: all but one of them."""
        return Slots(max(1, self._queries_max - 1), self._waiting_max, self._timeout_s)

    @contextlib.asynccontextmanager
    async def taken(self, tenant: str) -> AsyncIterator[None]:
        """One of them, for as long as the context is open. Raises `TooManySearches`."""
        if self._free:
            self._free -= 1
        else:
            await self._turn(tenant)
        try:
            yield
        finally:
            self._give()

    async def _turn(self, tenant: str) -> None:
        self._require_place(tenant)
        turn: Turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        try:
            async with asyncio.timeout(self._timeout_s):
                await turn
        except TimeoutError:
            self._leave(tenant, turn)
            raise TooManySearches("no search ended in time") from None
        except asyncio.CancelledError:
            self._leave(tenant, turn)
            raise

    def _require_place(self, tenant: str) -> None:
        waiting = sum(map(len, self._waiting.values()))
        own = len(self._waiting.get(tenant, ()))
        if waiting >= self._waiting_max or (
            waiting >= self._waiting_max - self._kept and own >= self._kept
        ):
            raise TooManySearches(f"{waiting:,} searches wait already, {own:,} of the tenant")

    def _leave(self, tenant: str, turn: Turn) -> None:
        """Wait no more; a slot that was given meanwhile is the next one's."""
        if turn.done() and not turn.cancelled():
            self._give()
            return
        if turn in (turns := self._waiting.get(tenant, deque())):
            turns.remove(turn)  # else its turn came when it was cancelled already
            if not turns:
                del self._waiting[tenant]

    def _give(self) -> None:
        """A search has ended: the next tenant has its slot, and its next turn after all others."""
        while self._waiting:
            tenant, turns = next(iter(self._waiting.items()))
            del self._waiting[tenant]
            turn = turns.popleft()
            if turns:
                self._waiting[tenant] = turns
            if not turn.cancelled():
                turn.set_result(None)
                return
        self._free += 1

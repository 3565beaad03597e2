"""Changes of a tenant's records on a compacted topic, one at a time, each judged by all that came before.

Of this process: two processes may still change the same within milliseconds, and the later counts.
"""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator
from typing import Any

from contracts.problems import unavailable
from service.kafka.follow import Follower

FOLLOW_TIMEOUT_S = 5.0


class Turns:
    """The turns of all tenants; `what` a problem says cannot be read."""

    def __init__(self, follower: Follower[Any], what: str) -> None:
        self._follower = follower
        self._what = what
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    @contextlib.asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """The tenant's turn, with the table at the topic's end. Raises `Problem` 503."""
        turn = self._turns.setdefault(tenant, asyncio.Lock())
        try:
            async with asyncio.timeout(FOLLOW_TIMEOUT_S):
                await turn.acquire()
        except TimeoutError:
            raise unavailable("Other changes of the tenant are under way. Try again.") from None
        try:
            if not await self._follower.catch_up(FOLLOW_TIMEOUT_S):
                raise unavailable(f"The {self._what} cannot be read from Kafka. Try again.")
            yield
        finally:
            turn.release()

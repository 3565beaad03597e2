"""Until when all that was received can be found, by the API's status: asked once for all tails."""

import asyncio
import math
import time

from console.api import Caller, Refused, Unanswered
from contracts import paths
from contracts.criteria import instant_ms

AGE_S = 3.0
"""So long one answer serves."""
ANSWER_S = 3.0


class View:
    """What searches look through, as far as it has come."""

    def __init__(self) -> None:
        self._read_s = -math.inf
        self._until_ms: int | None = None
        self._asking = asyncio.Lock()

    async def until_ms(self, caller: Caller, now_ms: int) -> int:
        """All received before it is found, ms since 1970. Raises `NotSignedIn`.

        While the API does not know how far that is, it stays where it was; one that never knew is
        taken to be current.
        """
        async with self._asking:
            if time.monotonic() - self._read_s > AGE_S:
                await self._read(caller)
                self._read_s = time.monotonic()
        return now_ms if self._until_ms is None else min(now_ms, self._until_ms)

    async def _read(self, caller: Caller) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                status = await caller.get(paths.STATUS)
        except (Refused, Unanswered, TimeoutError):
            return
        behind_s = status["view"]["seconds_behind"]
        if behind_s is not None:
            self._until_ms = instant_ms(status["measured_at"]) - math.ceil(1000 * behind_s)

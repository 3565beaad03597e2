"""Work on one request's body in short turns, so that other requests get theirs."""

import asyncio
import time

TURN_S = 0.001


class Turns:
    """The time that a request has had the event loop for itself."""

    def __init__(self) -> None:
        self._until_s = time.monotonic() + TURN_S

    def is_over(self) -> bool:
        """Whether it is time for `next`: asked after each small step."""
        return time.monotonic() > self._until_s

    async def next(self) -> None:
        """Let all others that are ready go first."""
        await asyncio.sleep(0)
        self._until_s = time.monotonic() + TURN_S

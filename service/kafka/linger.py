"""When batches are cut: fewer Produce requests cost less, but nobody should wait for nothing."""

import asyncio
import math
from collections.abc import Callable


class Linger:
    """Calls `cut` once after `begin`: when everyone is there who is likely to come, or after `longest_s`.

    Whoever has had an answer is likely to append again, and whoever waits already is there. So with N
    clients that post one event after another, batches of N are cut as soon as they are whole, while
    their records are in the CPU's cache; a lone client does not wait at all.
    """

    def __init__(self, longest_s: float, cut: Callable[[], None]) -> None:
        self._longest_s = longest_s
        self._cut = cut
        self._loop = asyncio.get_running_loop()
        self._handle: asyncio.Handle | None = None
        self._waiting = 0
        self._expected = math.inf

    def begin(self) -> None:
        """There is something to cut."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._longest_s, self._end)

    def added(self) -> None:
        """One more append waits."""
        self._waiting += 1
        if self._waiting >= self._expected and self._handle is not None:
            self._expected = math.inf
            self._handle.cancel()
            self._handle = self._loop.call_soon(self._end)

    def waits(self, waiting: int, answered: int = 0) -> None:
        """After a cut or an answer: `waiting` appends are left, `answered` have just had theirs."""
        self._waiting = waiting
        if answered:
            self._expected = waiting + answered

    def _end(self) -> None:
        self._handle = None
        self._cut()

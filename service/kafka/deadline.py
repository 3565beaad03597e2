"""A deadline that is set for every batch and seldom reached."""

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """Calls `passed` when `after_s` seconds have gone by since `start`, unless `stop` came first.

    To start and to stop it sets a number: the loop's own timer, which costs more than that, is set
    about once in `after_s`.
    """

    def __init__(self, after_s: float, passed: Callable[[], None]) -> None:
        self._after_s = after_s
        self._passed = passed
        self._loop = asyncio.get_running_loop()
        self._due_s = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Count from now on."""
        self._due_s = self._loop.time() + self._after_s
        if self._timer is None:
            self._timer = self._loop.call_at(self._due_s, self._look)

    def stop(self) -> None:
        """Do not call."""
        self._due_s = math.inf

    @property
    def running_s(self) -> float:
        """Time since `start`; 0 when stopped."""
        return max(0.0, self._after_s - self._due_s + self._loop.time())

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() >= self._due_s:
            self.stop()
            self._passed()
        elif self._due_s != math.inf:
            self._timer = self._loop.call_at(self._due_s, self._look)

"""How a lane treats a destination that takes nothing: a circuit breaker with a pause that doubles.

*closed*: calls go as they come. After a wave of calls of which none was taken the lane waits, and then
tries one message alone (*half-open*). It is *open* when that failed some times in a row, or at once
when the destination denies: people are told. Whatever is taken closes it.
"""

import random
import time

from processors.deliver.outcomes import Outcome

FIRST_PAUSE_S = 1.0
OPENS_AFTER = 3
IDLE_S = 600.0
"""And twice the longest pause: who was not tried for longer has not been failing since."""


class Breaker:
    """Of one lane. `why` is what failed last, `since_ms` when it began to fail; 0 while it takes.

    A lane that goes on after a restart has a `since_ms` before it fails.
    """

    def __init__(self) -> None:
        self.is_open = False
        self.failures = 0
        self.why: Outcome | None = None
        self.since_ms = 0
        self._tried_ms = 0
        self._due_s = 0.0

    @property
    def failing(self) -> bool:
        """Whether nothing was taken last time."""
        return self.failures > 0

    def wait_s(self) -> float:
        """How long to wait before the next try."""
        return max(0.0, self._due_s - time.monotonic())

    def took(self) -> bool:
        """Something was taken; whether that has closed it."""
        closes = self.is_open
        self.is_open, self.failures, self.why, self._due_s = False, 0, None, 0.0
        self.since_ms = 0
        return closes

    def forgive(self) -> None:
        """Nobody asks for anything now; when somebody does it is tried at once, and counted anew."""
        self.since_ms, self._due_s = 0, 0.0

    def slowed(self, pause_s: float = FIRST_PAUSE_S) -> None:
        """Some was taken, some was not: wait once."""
        self._due_s = time.monotonic() + random.uniform(0, pause_s)  # noqa: S311

    def failed(self, why: Outcome, pause_max_s: float) -> bool:
        """Nothing was taken; whether that has opened it, or it is for another cause now."""
        told = self.is_open and self.why is not None and self.why.code == why.code
        now_ms = time.time_ns() // 1_000_000
        idle_ms = IDLE_S * 1000 + 2000 * pause_max_s
        if not self.since_ms or (self._tried_ms and now_ms - self._tried_ms > idle_ms):
            self.since_ms = now_ms  # in between there was nothing to try it with
        self._tried_ms = now_ms
        self.failures += 1
        self.why = why
        # full jitter: who failed together does not come back together
        doubled_s = FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 30)
        self.slowed(min(doubled_s, pause_max_s))
        self.is_open |= why.state == "not_now" or self.failures >= OPENS_AFTER
        return self.is_open and not told

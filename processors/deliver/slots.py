"""Who may call now: a process has so many calls under way, and no tenant holds all of them.

The last quarter is for tenants that hold less than a quarter. So one whose queues all begin to hang at the
same moment, sixteen calls each, leaves the others theirs, and one that is alone has three quarters.
"""

import asyncio
from collections import Counter, deque

Waiting = tuple[str, "asyncio.Future[None]"]


class Slots:
    """Of `most` calls. Who waits has its turn in the order in which all came, but for who may not yet."""

    def __init__(self, most: int) -> None:
        self._free = most
        self._kept = most // 4
        self._held = Counter[str]()
        self._waiting: deque[Waiting] = deque()

    async def take(self, tenant: str) -> None:
        """Return when the tenant has a slot; whoever called gives it back."""
        if self._may(tenant):
            self._take(tenant)
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waits = (tenant, turn)
        self._waiting.append(waits)
        try:
            await turn  # no deadline: each call under way has one
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(tenant)
            else:
                self._waiting.remove(waits)
            raise

    def give(self, tenant: str) -> None:
        """A call has come to its end."""
        self._free += 1
        self._held[tenant] -= 1
        if not self._held[tenant]:
            del self._held[tenant]
        while self._free and (waits := next(filter(self._is_next, self._waiting), None)):
            self._waiting.remove(waits)
            self._take(waits[0])
            waits[1].set_result(None)

    def _is_next(self, waits: Waiting) -> bool:
        return self._may(waits[0]) and not waits[1].cancelled()

    def _may(self, tenant: str) -> bool:
        return self._free > self._kept or (self._free > 0 and self._held[tenant] < self._kept)

    def _take(self, tenant: str) -> None:
        self._free -= 1
        self._held[tenant] += 1

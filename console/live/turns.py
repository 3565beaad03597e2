"""When a tail may ask the API, which has few slots for searches: people who look at pages come first."""

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncIterator

ASKED_AT_ONCE = 1
"""Questions of a process: fewer than the API answers at once, EVENTS_SEARCH_QUERIES_MAX, 2 by default."""


class Turns:
    """One question of a tenant at a time, and after it a pause as long as it took; few of all tenants.

    So however many tails a tenant has, they take half a slot of the API and keep no other tenant's
    waiting for long.
    """

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(ASKED_AT_ONCE)
        self._tenants: weakref.WeakValueDictionary[str, asyncio.Lock] = (
            weakref.WeakValueDictionary()
        )

    @contextlib.asynccontextmanager
    async def taken(self, tenant: str) -> AsyncIterator[None]:
        """The tenant's turn, for as long as the context is open."""
        lock = self._tenants.setdefault(tenant, asyncio.Lock())
        async with lock:
            failed: Exception | None = None
            async with self._all:
                began_s = time.monotonic()
                try:
                    yield
                except Exception as error:
                    failed = error  # one that was not answered in time took the most
            await asyncio.sleep(time.monotonic() - began_s)
        if failed is not None:
            raise failed

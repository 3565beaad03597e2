"""The inserts under way, from the first byte of their request until they are done.

A ClickHouse server shows an insert in system.processes from its first byte. Here the engine sees it
when its data is complete, and one whose sender is dead may still become so. So whoever reads
system.processes is answered when the inserts that came before have ended: none is missed.
"""

import asyncio
import contextlib
from collections.abc import Iterator

from local.clickhouse.errors import TIMEOUT_EXCEEDED, refused

WAIT_S = 10.0


class Inserts:
    """The requests that are an insert, or may turn out to be one."""

    def __init__(self) -> None:
        self._under_way: set[asyncio.Event] = set()

    @contextlib.contextmanager
    def begun(self) -> Iterator[asyncio.Event]:
        """A request that counts while the context is open, or until the event is set."""
        ended = asyncio.Event()
        self._under_way.add(ended)
        try:
            yield ended
        finally:
            self._under_way.discard(ended)
            ended.set()

    async def ended(self) -> None:
        """Return when those now under way have ended. Raises `QueryFailed` (159) when one does not."""
        try:
            async with asyncio.timeout(WAIT_S):
                for insert in list(self._under_way):
                    await insert.wait()
        except TimeoutError:
            raise refused(
                TIMEOUT_EXCEEDED,
                f"An insert was still being received after {WAIT_S:g} seconds",
                "TIMEOUT_EXCEEDED",
            ) from None

"""Events by (tenant, id) out of ClickHouse, many waiting lookups in one query.

A point lookup costs ClickHouse milliseconds, a hundred of them in one query little more. So the
lookups that arrive while a query runs form the next one; a lone lookup waits for nobody.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Protocol

from contracts.clickhouse.replicas import Replicas
from contracts.clickhouse.table import (
    ONE_SERVER,
    read_erased,
    read_events,
    select_erased,
    select_events,
)
from service.clickhouse import ClickHouseFailed

Key = tuple[str, uuid.UUID]


class TooManyLookups(Exception):
    """More lookups wait than the store may hold."""


class Select(Protocol):
    """Runs one query and returns the raw answer. Raises `ClickHouseFailed`, at its deadline too."""

    def __call__(self, sql: str) -> Awaitable[bytes]:
        """The answer's bytes in the format that the query names."""


class EventStore:
    """Representations of stored events. Start and stop it on the loop that uses it.

    With the `replicas` of a cluster it has an event as long as any of them has it.
    """

    def __init__(
        self,
        select: Select,
        database: str,
        *,
        ids_max: int,
        queries_max: int,
        waiting_max: int,
        replicas: Replicas = ONE_SERVER,
    ) -> None:
        self._select = select
        self._database = database
        self._replicas = replicas
        self._ids_max = ids_max
        self._queries_max = queries_max
        self._waiting_max = waiting_max
        self._waiting: dict[Key, asyncio.Future[bytes | None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def get(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
        """The event's representation, `ERASED`, or None when the table does not have it (yet).

        Raises `ClickHouseFailed`, at the latest at the deadline that `Select` keeps, and
        `TooManyLookups`.
        """
        key = (tenant, event_id)
        future = self._waiting.get(key)
        if future is None:
            if len(self._waiting) >= self._waiting_max:
                raise TooManyLookups(f"{self._waiting_max:,} lookups wait already")
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        self._start_query()
        return await asyncio.shield(future)  # shared by all that ask for this id

    def _start_query(self) -> None:
        if self._waiting and len(self._running) < self._queries_max:
            task = asyncio.create_task(self._query())
            self._running.add(task)
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start_query()

    async def _query(self) -> None:
        await asyncio.sleep(0)  # requests read in this turn of the loop join
        keys = [key for key, _ in zip(self._waiting, range(self._ids_max), strict=False)]
        futures = {key: self._waiting.pop(key) for key in keys}
        try:
            query = select_events(self._database, keys, self._replicas)
            found = read_events(await self._select(query))
            if missing := [key for key in keys if (key[0], str(key[1])) not in found]:
                found |= read_erased(await self._select(select_erased(self._database, missing)))
        except ClickHouseFailed as error:
            failure = error
            _resolve(futures, lambda key, future: future.set_exception(failure))
        except BaseException:
            _resolve(futures, lambda key, future: future.cancel())
            raise
        else:
            _resolve(
                futures, lambda key, future: future.set_result(found.get((key[0], str(key[1]))))
            )


def _resolve(
    futures: dict[Key, asyncio.Future[bytes | None]],
    outcome: Callable[[Key, asyncio.Future[bytes | None]], object],
) -> None:
    for key, future in futures.items():
        if not future.done():
            outcome(key, future)
            if not future.cancelled():
                future.exception()  # seen: whoever asked may be gone

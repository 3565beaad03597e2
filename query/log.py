"""Events that the view may not have yet, by their ids, out of the log.

The id says when the event was made and which partition has it. What that partition has got since is
read to its end and searched: to the end, since an erasure lies behind its event. Lookups that wait for
one partition share a read. This says what is certain or nothing: the view is asked then.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from contracts.clickhouse.table import ERASED
from contracts.encoding.block import NotBase64, row
from contracts.encoding.codec import represent
from contracts.encoding.recordbatch import hash_of
from contracts.encoding.wire import (
    Undecodable,
    decode_erasure,
    decode_event,
    decode_tenant,
    require_time,
)
from contracts.ids import made_at_ms, partition_of
from service.kafka.stretch import NotRead, Record, Stretches, TooMuch, records

READS_MAX = 8
"""Reads at once: each holds its bytes."""
IDS_MAX = 50
"""Lookups that one read answers: each searches all of it."""


class Name(NamedTuple):
    """Which event, and when its id was made, in ms since 1970."""

    made_ms: int
    tenant: str
    id: str


Waiting = dict[Name, asyncio.Future[bytes | None]]


class LogLookup:
    """Looks in the log; `counts` are its reads by outcome."""

    def __init__(self, stretches: Stretches, waiting_max: int) -> None:
        self.counts: Counter[str] = Counter()
        self._stretches = stretches
        self._waiting_max = waiting_max
        self._waiting: dict[int, Waiting] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._slots = asyncio.Semaphore(READS_MAX)

    async def find(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
        """The event's representation, `ERASED`, or None when the log does not tell."""
        partition, made_ms = partition_of(event_id), made_at_ms(event_id)
        if partition is None or made_ms is None or partition >= self._stretches.partitions:
            return None
        if sum(map(len, self._waiting.values())) >= self._waiting_max:
            return None
        waiting = self._waiting.setdefault(partition, {})
        name = Name(made_ms, tenant, str(event_id))
        future = waiting.setdefault(name, asyncio.get_running_loop().create_future())
        self._start(partition)
        return await asyncio.shield(future)  # shared by all that ask for this id

    def _start(self, partition: int) -> None:
        if partition not in self._reading:
            reading = asyncio.create_task(self._answer(partition))
            self._reading[partition] = reading

    async def _answer(self, partition: int) -> None:
        """Answer all that wait for the partition, those that come meanwhile too."""
        waiting = self._waiting[partition]
        try:
            while waiting:
                async with self._slots:
                    await asyncio.sleep(0)  # requests read in this turn of the loop join
                    await self._read(partition, waiting)
        finally:
            del self._reading[partition], self._waiting[partition]
            _resolve(waiting, waiting)

    async def _read(self, partition: int, waiting: Waiting) -> None:
        """Answer some that wait, at least one."""
        names = sorted(name for name, _ in zip(waiting, range(IDS_MAX), strict=False))
        found: dict[Name, bytes] = {}
        try:
            batches = await self._stretches.since(partition, names[0].made_ms)
            found = self._search(partition, batches, names)
        except TooMuch:
            self.counts["too_much"] += 1
            names = names[: (len(names) + 1) // 2]  # for the younger half it may not be
        except NotRead:
            self.counts["failed"] += 1
        else:
            self.counts["read"] += 1
        _resolve(waiting, names, found)

    def _search(
        self, partition: int, batches: Iterable[bytes], names: list[Name]
    ) -> dict[Name, bytes]:
        """What `batches` say of `names`. Raises `NotRead`."""
        found: dict[Name, bytes] = {}
        texts = {name.id.encode() for name in names}
        by_name = {(name.tenant, name.id): name for name in names}
        for batch in batches:
            sought = [text for text in texts if text in batch]
            for record in records(batch) if sought else ():
                value = record.value
                if value is not None and not any(text in value for text in sought):
                    continue
                tenant, event_id, representation = _read(record)
                name = by_name.get((tenant, event_id))
                if name is None:
                    continue
                if value is None:
                    found[name] = ERASED
                elif self._lies_there(record, partition):
                    found.setdefault(name, representation)  # the first in the log wins
        return found

    def _lies_there(self, record: Record, partition: int) -> bool:
        """Whether an erasure of the record would lie behind it: not when partitions were added since."""
        return (
            record.key is not None and hash_of(record.key) % self._stretches.partitions == partition
        )


def _read(record: Record) -> tuple[str, str, bytes]:
    """Tenant, id and representation of what the view would show of the record; empty for nothing."""
    try:
        require_time(record.timestamp_ms)
        if record.value is None:
            tenant, event_id, _ = decode_erasure(record.headers)
            return tenant, event_id, ERASED
        tenant, event = decode_tenant(record.headers), decode_event(record.value)
        row(tenant, 0, 0, record.timestamp_ms, event)  # as the view is made
    except (Undecodable, NotBase64):
        return "", "", b""
    return tenant, event.id, represent(event)


def _resolve(
    waiting: Waiting, names: Iterable[Name], found: dict[Name, bytes] | None = None
) -> None:
    for name in list(names):
        future = waiting.pop(name)
        if not future.done():
            future.set_result((found or {}).get(name))

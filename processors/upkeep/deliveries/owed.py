"""From records of the log to who was owed what: in chunks, so that memory does not grow with the log."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import NamedTuple

from contracts.encoding.wire import Undecodable, decode_event, decode_tenant
from contracts.filters import View
from contracts.topics import EVENTS
from processors.consume.step import LogRecord
from processors.deliver.firsts import Firsts
from processors.deliver.lane import Key
from processors.deliver.reader import Source
from processors.upkeep.deliveries.subscribed import Subscribed

PAIRS_MAX = 100_000
OFFSETS_MAX = 50_000
"""A chunk ends with the record that reaches one of these."""
RECORDS_MAX = 1_000


class Pair(NamedTuple):
    """An event, by its offset in the chunk's partition, and a subscription."""

    offset: int
    tenant: str
    subscription_id: str

    @property
    def key(self) -> Key:
        """The subscription."""
        return self.tenant, self.subscription_id


class Owed(NamedTuple):
    """An event and the subscriptions that it is owed to."""

    tenant: str
    event_id: str
    subscriptions: set[str]


@dataclass
class Chunk:
    """Some offsets of a partition. `owed` are its events, by offset, and `pairs` how many deliveries that is.

    `repeats` are offsets of events that are there before; a queue that got them got them twice.
    `changed` counts pairs of subscriptions that were changed since: whether they matched is not known.
    `received_ms` has every record's time, by offset.
    """

    partition: int
    first: int
    end: int
    owed: dict[int, Owed] = field(default_factory=dict)
    pairs: int = 0
    received_ms: dict[int, int] = field(default_factory=dict)
    repeats: set[int] = field(default_factory=set)
    changed: int = 0
    erasures: int = 0
    unreadable: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it ends here."""
        return self.pairs >= PAIRS_MAX or self.end - self.first >= OFFSETS_MAX


async def chunks(
    source: Source, subscribed: Subscribed, partition: int, first: int, end: int
) -> AsyncIterator[Chunk]:
    """All offsets of the range, each in one chunk. Raises `Transient`.

    Nothing else may be read of `source` between two chunks.
    """
    firsts, chunk = Firsts(), Chunk(partition, first, first)
    batches = source.read(EVENTS, partition, first, end, RECORDS_MAX)
    async with contextlib.aclosing(batches):
        async for batch in batches:
            for record in batch:
                _add(chunk, subscribed, record, firsts)
                chunk.end = record.offset + 1
                if chunk.is_full:
                    yield chunk
                    chunk = Chunk(partition, chunk.end, chunk.end)
    chunk.end = end
    if chunk.first < end:
        yield chunk


def _add(chunk: Chunk, subscribed: Subscribed, record: LogRecord, firsts: Firsts) -> None:
    """As the router's plan has it, see `processors.deliver.plan`."""
    offset, received_ms = record.offset, record.timestamp
    chunk.received_ms[offset] = received_ms
    if record.value is None:
        chunk.erasures += 1
        return
    try:
        tenant = decode_tenant(record.headers)
        if not subscribed.table.has(tenant):
            return
        event = decode_event(record.value)
    except Undecodable:
        chunk.unreadable += 1
        return
    if firsts.has_before(tenant, event.id, record):
        chunk.repeats.add(offset)
        return
    matching = subscribed.table.matching(tenant, View(event))
    names = {each if isinstance(each, str) else each.subscription_id for each in matching}
    judged = {each for each in names if subscribed.is_judged((tenant, each), received_ms)}
    chunk.changed += len(names) - len(judged)
    if judged:
        chunk.owed[offset] = Owed(tenant, event.id, judged)
        chunk.pairs += len(judged)

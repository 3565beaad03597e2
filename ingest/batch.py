"""POST /api/v1/events:batch: many events in one request, an answer for each, in their order.

The body is read as it arrives and kept as records alone. One that passes a limit is refused whole,
before anything is appended. Every item that the answer calls accepted is durable: Kafka has it on
all in-sync replicas.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from contracts.access import Verifier
from contracts.codec import represent
from contracts.parse import parse_event
from contracts.problems import Problem, unavailable
from contracts.recordbatch import Record
from contracts.topics import EVENTS
from contracts.wire import encode
from ingest.admission import Admission, Held
from ingest.events import new_id
from ingest.split import Elements, Lines, Splitter
from service.encodings import Decoder, decoder
from service.eventlog import EventLog
from service.http import (
    JSON,
    Receive,
    Scope,
    Send,
    declared_bytes,
    read_parts,
    respond,
    single_headers,
    too_large,
)

PATH = "/api/v1/events:batch"
NDJSON = b"application/x-ndjson"
ITEMS_AT_ONCE = 50  # parsed before other requests get their turn


class BatchLimits(NamedTuple):
    """Items and bytes of one request, as it came and decoded; bytes of one event."""

    items: int
    body_bytes: int
    event_bytes: int


class Item(NamedTuple):
    """One event of the request: its id and record, or why it is none."""

    event_id: str = ""
    record: Record | None = None
    problem: Problem | None = None


class PostBatch:
    """Handler of POST /api/v1/events:batch."""

    def __init__(
        self, verifier: Verifier, admission: Admission, log: EventLog, limits: BatchLimits
    ) -> None:
        self._verifier = verifier
        self._admission = admission
        self._log = log
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, admit, read item by item, append all, answer."""
        headers = single_headers(scope["headers"])
        tenant = await self._verifier.tenant(headers)
        splitter = _splitter(headers.get(b"content-type", b""))
        encoding = headers.get(b"content-encoding", b"").lower()
        decoding = decoder(encoding, self._limits.body_bytes)
        declared = declared_bytes(headers, self._limits.body_bytes) or 0
        if refusal := self._admission.rates.admit(tenant, declared):
            await self._admission.rates.refuse(refusal)
        with Held(self._admission.budget, declared) as held:
            pieces = _pieces(read_parts(receive, self._limits.body_bytes), decoding, held)
            key = headers.get(b"idempotency-key")
            items = await self._read(tenant, key, pieces, splitter)
            self._admission.rates.charge(tenant, len(items) - 1, held.size_bytes - declared)
            items = await self._append(items)
        await _answer(send, items)

    async def _read(
        self, tenant: str, key: bytes | None, pieces: AsyncIterator[bytes], splitter: Splitter
    ) -> list[Item]:
        """The items of the request. Raises `Problem` 413 for too many and 405 for none."""
        items: list[Item] = []
        async for piece in pieces:
            for text in splitter.feed(piece):
                items.append(self._item(tenant, key, len(items), text))
                if len(items) > self._limits.items:
                    raise self._too_many(len(items))
                if len(items) % ITEMS_AT_ONCE == 0:
                    await asyncio.sleep(0)
        for text in splitter.end():
            items.append(self._item(tenant, key, len(items), text))
        if len(items) > self._limits.items:
            raise self._too_many(len(items))
        if not items:
            raise Problem(405, "The batch holds no event.")
        return items

    def _too_many(self, count: int) -> Problem:
        return Problem(
            413,
            f"The batch has {count:,} events or more; the limit is {self._limits.items:,}.",
            extra={"size": count, "limit": self._limits.items},
        )

    def _item(self, tenant: str, key: bytes | None, index: int, text: bytes) -> Item:
        event_id, received_ms = new_id(tenant, key, index)
        limit = self._limits.event_bytes
        try:
            if len(text) > limit:
                raise too_large(len(text), limit)
            event = parse_event(text)
            event.id = event_id
            representation = represent(event)
            if len(representation) > limit:
                raise too_large(len(representation), limit)
        except Problem as problem:
            for error in problem.errors:
                error["pointer"] = f"/{index}{error['pointer']}"
            return Item(problem=problem)
        return Item(event_id, encode(tenant, event, received_ms, representation))

    async def _append(self, items: list[Item]) -> list[Item]:
        """`items` with a problem where Kafka did not confirm the record."""
        records = [item.record for item in items if item.record is not None]
        failures = iter(await self._log.append_all(EVENTS, records))
        return [item if item.record is None else _confirmed(item, next(failures)) for item in items]


def _confirmed(item: Item, failure: Exception | None) -> Item:
    if failure is None:
        return item
    return item._replace(problem=unavailable(f"Not confirmed: {failure}.", id=item.event_id))


async def _pieces(
    parts: AsyncIterator[bytes], decoding: Decoder, held: Held
) -> AsyncIterator[bytes]:
    """The body decoded, as it arrives; what has come out is held from the budget."""
    size = 0
    async for part in parts:
        for piece in decoding.feed(part):
            size += len(piece)
            held.grow_to(size)
            yield piece
    decoding.end()


def _splitter(content_type: bytes) -> Splitter:
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == NDJSON:
        return Lines()
    if media_type == JSON:
        return Elements()
    raise Problem(
        415,
        "Content-Type must be application/x-ndjson or application/json (an array).",
        headers={"Accept-Post": "application/x-ndjson, application/json"},
    )


async def _answer(send: Send, items: Sequence[Item]) -> None:
    """201 when all were accepted, 207 when some, else 405, or 503 when a retry may succeed."""
    refused = [item.problem for item in items if item.problem is not None]
    accepted = len(items) - len(refused)
    if not refused:
        status = 201
    elif accepted:
        status = 207
    else:
        status = 503 if any(problem.status == 503 for problem in refused) else 405
    body = b'{"accepted":%d,"rejected":%d,"items":[%b]}' % (
        accepted,
        len(refused),
        b",".join([_entry(item) for item in items]),
    )
    headers = [(b"content-type", JSON)]
    if any(problem.status == 503 for problem in refused):
        headers.append((b"retry-after", b"1"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    await respond(send, status, headers, body)


def _entry(item: Item) -> bytes:
    if item.problem is None:
        return b'{"status":201,"id":"%b"}' % item.event_id.encode()
    entry = {"status": item.problem.status, "problem": item.problem.document()}
    return json.dumps(entry, ensure_ascii=False).encode()

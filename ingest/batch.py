"""POST /api/v1/events:batch: many events in one request, an answer for each, in their order.

A body that passes a limit is refused whole before anything is appended. Every item that the answer
calls accepted is durable: Kafka has it on all in-sync replicas.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from contracts.access import Verifier
from contracts.codec import represent
from contracts.parse import parse_event
from contracts.problems import Problem, unavailable
from contracts.recordbatch import Record
from contracts.topics import EVENTS
from contracts.wire import encode
from ingest.events import new_id
from service.encodings import decoded
from service.eventlog import EventLog
from service.http import JSON, Receive, Scope, Send, read_body, respond, single_headers, too_large

PATH = "/api/v1/events:batch"
NDJSON = b"application/x-ndjson"
ITEMS_AT_ONCE = 50  # parsed before other requests get their turn

_array = msgspec.json.Decoder(list[msgspec.Raw])  # splits an array, reads no further


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

    def __init__(self, verifier: Verifier, log: EventLog, limits: BatchLimits) -> None:
        self._verifier = verifier
        self._log = log
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, read, decode, split, validate each, append all, answer."""
        headers = single_headers(scope["headers"])
        tenant = await self._verifier.tenant(headers)
        split = _splitter(headers.get(b"content-type", b""))
        came = await read_body(headers, receive, self._limits.body_bytes)
        encoding = headers.get(b"content-encoding", b"").lower()
        texts = split(decoded(came, encoding, self._limits.body_bytes))
        self._check(len(texts))
        key = headers.get(b"idempotency-key")
        items = []
        for index, text in enumerate(texts):
            items.append(self._item(tenant, key, index, text))
            if index % ITEMS_AT_ONCE == ITEMS_AT_ONCE - 1:
                await asyncio.sleep(0)
        items = await self._append(items)
        await _answer(send, items)

    def _check(self, count: int) -> None:
        if count == 0:
            raise Problem(405, "The batch holds no event.")
        if count > self._limits.items:
            raise Problem(
                413,
                f"The batch has {count:,} events; the limit is {self._limits.items:,}.",
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


def _splitter(content_type: bytes) -> Any:
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type == NDJSON:
        return _lines
    if media_type == JSON:
        return _elements
    raise Problem(
        415,
        "Content-Type must be application/x-ndjson or application/json (an array).",
        headers={"Accept-Post": "application/x-ndjson, application/json"},
    )


def _lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line and not line.isspace()]


def _elements(body: bytes) -> list[bytes]:
    try:
        return [bytes(element) for element in _array.decode(body)]
    except msgspec.ValidationError:
        raise Problem(405, "The body must be a JSON array of events.") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body is not JSON: {error}.") from None


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

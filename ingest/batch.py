"""POST /api/v1/events:batch: many events in one request, an answer for each, in their order.

The body is read as it arrives and kept as records alone. One that passes a limit is refused whole,
before anything is appended. Every item that the answer calls accepted is durable: Kafka has it on
all in-sync replicas.
"""

import json
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from contracts.encoding.parse import parse_event
from contracts.encoding.recordbatch import Record
from contracts.problems import Problem
from contracts.topics import EVENTS
from ingest.admission import Admission
from ingest.budget import Held
from ingest.events import make, not_confirmed
from ingest.first_bodies import FirstBodies
from ingest.split import PIECE_BYTES, Elements, Lines, Splitter
from ingest.turns import Turns
from service.access.verifier import Verifier
from service.http.asgi import (
    JSON,
    Receive,
    Scope,
    Send,
    declared_bytes,
    read_parts,
    respond,
    single_headers,
    too_large,
    utf8_media_type,
)
from service.http.request_bodies import Decoder, decoder
from service.kafka.eventlog import EventLog
from service.kafka.partition import Unaccepted

NDJSON = b"application/x-ndjson"
EXPLAINED_MAX = 200
"""Refused items whose faults are all looked for; of the others the first is named."""


class BatchLimits(NamedTuple):
    """Items and bytes of one request, as it came and decoded; bytes of one event."""

    items: int
    body_bytes: int
    event_bytes: int


class Items(NamedTuple):
    """The events of one request in their order: the id of each, or why it has none; records of the former.

    `first` are the ids that an Idempotency-Key has given here for the first time.
    """

    outcomes: list[str | Problem]
    records: list[Record]
    first: list[str]


class PostBatch:
    """Handler of POST /api/v1/events:batch."""

    def __init__(
        self,
        verifier: Verifier,
        admission: Admission,
        log: EventLog,
        first_bodies: FirstBodies,
        limits: BatchLimits,
    ) -> None:
        self._verifier = verifier
        self._admission = admission
        self._log = log
        self._first_bodies = first_bodies
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Authenticate, admit, read item by item, append all, answer."""
        headers = single_headers(scope)
        tenant = await self._verifier.tenant(headers)
        splitter = self._splitter(headers.get(b"content-type", b""))
        encoding = headers.get(b"content-encoding", b"").lower()
        decoding = decoder(encoding, self._limits.body_bytes)
        declared = declared_bytes(headers, self._limits.body_bytes) or 0
        if refusal := self._admission.rates.admit(tenant, declared):
            await self._admission.rates.refuse(refusal)
        self._admission.budget.require_room(declared)
        with Held(self._admission.budget, tenant) as held:
            pieces = _pieces(read_parts(receive, self._limits.body_bytes), decoding, held)
            key = headers.get(b"idempotency-key")
            items = await self._read(tenant, key, pieces, splitter)
            more_events = len(items.outcomes) - 1
            more_bytes = max(0, held.size_bytes - declared)
            self._admission.rates.charge(tenant, more_events, more_bytes)
            outcomes = await self._append(items)
        await _answer(send, outcomes)

    def _splitter(self, content_type: bytes) -> Splitter:
        media_type = utf8_media_type(content_type)
        if media_type == NDJSON:
            return Lines()
        if media_type == JSON:
            return Elements(self._limits.event_bytes)
        raise Problem(
            415,
            "Content-Type must be application/x-ndjson or application/json (an array), in UTF-8.",
            headers={"Accept-Post": "application/x-ndjson, application/json"},
        )

    async def _read(
        self, tenant: str, key: bytes | None, pieces: AsyncIterator[bytes], splitter: Splitter
    ) -> Items:
        """The items of the request. Raises `Problem` 413 for too many and 405 for none."""
        items, turns = Items([], [], []), Turns()
        try:
            async for piece in pieces:
                for text in splitter.feed(piece):
                    self._item(items, tenant, key, text)
                    if turns.is_over():
                        await turns.next()
                if turns.is_over():
                    await turns.next()
            for text in splitter.end():
                self._item(items, tenant, key, text)
                if turns.is_over():
                    await turns.next()
        except BaseException:  # refused whole, or its sender is gone
            self._first_bodies.forget(items.first)
            raise
        if not items.outcomes:
            raise Problem(405, "The batch holds no event.")
        return items

    def _item(self, items: Items, tenant: str, key: bytes | None, text: bytes) -> None:
        """Add the event that `text` is to `items`. Raises `Problem` 413 for one too many."""
        index = len(items.outcomes)
        if index == self._limits.items:
            raise Problem(
                413,
                f"The batch has {index + 1:,} events or more; the limit is {index:,}.",
                extra={"size": index + 1, "limit": index},
            )
        limit = self._limits.event_bytes
        try:
            if len(text) > limit:
                raise too_large(len(text), limit)
            draft = parse_event(text, is_explained=index - len(items.records) < EXPLAINED_MAX)
            event_id, representation, record = make(self._log, tenant, draft, key, limit, index)
            if key is not None and self._first_bodies.check(event_id, representation):
                items.first.append(event_id)
        except Problem as problem:
            for error in problem.errors:
                error["pointer"] = f"/{index}{error['pointer']}"
            problem.__context__ = None  # nor what it was made of: it waits for the others
            items.outcomes.append(problem.with_traceback(None))
            return
        items.records.append(record)
        items.outcomes.append(event_id)

    async def _append(self, items: Items) -> list[str | Problem]:
        """The outcomes, with a problem where Kafka did not confirm the record."""
        failures = await self._log.append_all(EVENTS, items.records)
        if not any(failures):
            return items.outcomes
        of_records = iter(failures)
        return [
            outcome if isinstance(outcome, Problem) else self._confirmed(outcome, next(of_records))
            for outcome in items.outcomes
        ]

    def _confirmed(self, event_id: str, failure: Exception | None) -> str | Problem:
        if failure is None:
            return event_id
        if isinstance(failure, Unaccepted):
            self._first_bodies.forget((event_id,))
        return not_confirmed(failure, event_id)


async def _pieces(
    parts: AsyncIterator[bytes], decoding: Decoder, held: Held
) -> AsyncIterator[bytes]:
    """The body decoded, as it arrives; what has come out is held from the budget."""
    size = 0
    async for part in parts:
        for piece in decoding.feed(part):
            size += len(piece)
            held.grow_to(size)
            for start in range(0, len(piece) or 1, PIECE_BYTES):
                yield piece[start : start + PIECE_BYTES]
    decoding.end()


async def _answer(send: Send, outcomes: Sequence[str | Problem]) -> None:
    """201 when all were accepted, 207 when some, else 405, or 503 when a retry may succeed."""
    refused = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
    accepted = len(outcomes) - len(refused)
    if not refused:
        status = 201
    elif accepted:
        status = 207
    else:
        status = 503 if any(problem.status == 503 for problem in refused) else 405
    entries, turns = list[str](), Turns()
    for outcome in outcomes:
        entries.append(_entry(outcome))
        if refused and turns.is_over():
            await turns.next()
    body = f'{{"accepted":{accepted},"rejected":{len(refused)},"items":[{",".join(entries)}]}}'.encode()
    headers = [(b"content-type", JSON)]
    if any(problem.status == 503 for problem in refused):
        headers.append((b"retry-after", b"1"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    await respond(send, status, headers, body)


def _entry(outcome: str | Problem) -> str:
    if isinstance(outcome, str):
        return f'{{"status":201,"id":"{outcome}"}}'
    entry = {"status": outcome.status, "problem": outcome.document()}
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))

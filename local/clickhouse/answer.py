"""An answer written as its client asked: the format's head, ClickHouse's compression, HTTP's."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from local.clickhouse import external
from local.clickhouse.blocks import Blocks
from local.clickhouse.connection import Rest
from local.clickhouse.encoding import Encoder, encoder_for
from local.clickhouse.engine import Engine, Held
from local.clickhouse.native import BLOCK_INFO, WITH_SERIALIZATION, versioned
from local.clickhouse.request import Query

MEDIA_TYPES = {
    "json": "application/json; charset=UTF-8",
    "tabseparated": "text/tab-separated-values; charset=UTF-8",
    "tsv": "text/tab-separated-values; charset=UTF-8",
    "csv": "text/csv; charset=UTF-8",
    "native": "application/octet-stream",
    "rowbinary": "application/octet-stream",
    "parquet": "application/octet-stream",
    "arrow": "application/octet-stream",
}


class Writing:
    """The bytes of the engine's blocks as they are sent."""

    def __init__(self, query: Query, encoder: Encoder | None) -> None:
        self._encoders: list[Encoder] = [Blocks()] if query.compress else []
        if encoder:
            self._encoders.append(encoder)
        native = query.statement.format.lower() == "native"
        self._version = query.protocol_version if native else 0
        # the engine's stream comes in Native's own blocks, so a head in front is all that is missing
        self._needs_walk = not query.statement.streams or self._version >= WITH_SERIALIZATION

    def block(self, data: bytes) -> bytes:
        """What to send for one block of the engine's."""
        if self._version:
            data = versioned(data, self._version) if self._needs_walk else BLOCK_INFO + data
        for encoder in self._encoders:
            data = encoder.compress(data)
        return data

    def end(self) -> bytes:
        """What to send at the end."""
        last = b""
        for encoder in self._encoders:
            last = encoder.compress(last) + encoder.flush()
        return last


async def answer(
    engine: Engine, query: Query, request: Request, headers: dict[str, str]
) -> Response:
    """Run the query; the answer is sent while it is computed where its format allows that."""
    compresses = request.query_params.get("enable_http_compression") == "1"
    encoding = encoder_for(request.headers.get("accept-encoding", "")) if compresses else None
    writing = Writing(query, encoding[1] if encoding else None)
    async with contextlib.AsyncExitStack() as stack:
        held = await stack.enter_async_context(engine.held(query.session, query.database))
        await stack.enter_async_context(external.there(held.connection, query.tables))
        begun, rest = await _begun(held, query)  # an error here still has a status
        first = b"".join(map(writing.block, begun))
        headers |= {
            "X-ClickHouse-Format": query.statement.format,
            "X-ClickHouse-Summary": held.connection.figures.header(),
        }
        if encoding:
            headers["Content-Encoding"] = encoding[0]
        media_type = _media_type(query.statement.format)
        if rest is None:
            return Response(first + writing.end(), headers=headers, media_type=media_type)
        stack.push_async_callback(rest.close)
        content = _content(first, rest, writing)
        return Streamed(content, stack.pop_all(), headers=headers, media_type=media_type)


class Streamed(StreamingResponse):
    """An answer that holds what `stack` closes until it is sent or its client has gone.

    Not its generator: one that was never begun would not close it.
    """

    def __init__(
        self, content: AsyncIterator[bytes], stack: contextlib.AsyncExitStack, **how: Any
    ) -> None:
        super().__init__(content, **how)
        self._stack = stack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        async with self._stack:
            await super().__call__(scope, receive, send)


async def _begun(held: Held, query: Query) -> tuple[list[bytes], Rest | None]:
    if query.statement.streams:
        return await held.connection.answer(query.statement)
    return [await held.query(query.statement)], None


async def _content(first: bytes, rest: Rest, writing: Writing) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for block in rest.blocks():
        if piece := writing.block(block):
            yield piece
    if last := writing.end():
        yield last


def _media_type(format_: str) -> str:
    lower = format_.lower()
    known = (media_type for begin, media_type in MEDIA_TYPES.items() if lower.startswith(begin))
    return next(known, "text/plain")

"""An answer of the local ClickHouse endpoint that nobody reads gives back what it holds."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from local.clickhouse.answer import Streamed


async def test_a_client_that_left_before_the_head_was_sent_holds_nothing() -> None:
    begun, closed = list[bool](), list[bool]()

    async def content() -> AsyncIterator[bytes]:
        begun.append(True)
        yield b""

    async def send(message: Message) -> None:
        raise OSError("gone")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    stack = contextlib.AsyncExitStack()
    stack.callback(closed.append, True)
    scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
    with pytest.raises(ClientDisconnect):
        await Streamed(content(), stack)(scope, receive, send)
    assert (begun, closed) == ([], [True])

"""Answers leave in one write, and nothing is held that nothing follows."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.http.app import serving
from service.http.asgi import Receive, Scope, Send, respond
from service.http.transport import JOINED_BYTES_MAX, Whole
from tests.processes import free_port

HOST = "127.0.0.1"
WITHIN_S = 10
HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recording(asyncio.Transport):
    """What was written before it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_head_and_body_are_one_write() -> None:
    async def answer() -> list[bytes]:
        transport = Recording()
        whole = Whole(transport, asyncio.get_running_loop())
        whole.write(HEAD)
        assert not transport.writes
        whole.write(b"body")
        await asyncio.sleep(0)
        return transport.writes

    assert await answer() == [HEAD + b"body"]


PIECES = st.sampled_from((HEAD, b"", b"body", b"x" * (JOINED_BYTES_MAX + 1), None))


@given(st.lists(PIECES))
async def test_the_bytes_are_the_same_and_in_order(pieces: list[bytes | None]) -> None:
    """None: the loop goes on to its next turn."""
    transport = Recording()
    whole = Whole(transport, asyncio.get_running_loop())
    sent = b""
    for piece in pieces:
        if piece is None:
            await asyncio.sleep(0)
            assert b"".join(transport.writes) == sent
        else:
            whole.write(piece)
            sent += piece
    whole.close()
    assert b"".join(transport.writes) == sent
    await asyncio.sleep(0)
    assert b"".join(transport.writes) == sent


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_head_does_not_wait_for_a_body_that_is_late_or_never_comes(method: str) -> None:
    async def converse() -> bytes:
        head_was_read = asyncio.Event()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            if method == "HEAD":
                await respond(send, 200, (), b"body")
                return
            headers = [(b"content-length", b"4"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await asyncio.wait_for(head_was_read.wait(), WITHIN_S)
            await send({"type": "http.response.body", "body": b"body"})

        port = free_port()
        async with serving(app, HOST, port):
            reader, writer = await asyncio.open_connection(HOST, port)
            close = "Connection: close\r\n"
            writer.write(f"{method} / HTTP/1.1\r\nHost: here\r\n{close}\r\n".encode())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
            head_was_read.set()
            body = await asyncio.wait_for(reader.read(), WITHIN_S)
            writer.close()
            await writer.wait_closed()
        assert head.startswith(b"HTTP/1.1 200")
        return body

    assert await converse() == (b"body" if method == "GET" else b"")

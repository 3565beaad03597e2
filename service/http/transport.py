"""HTTP answers leave in one write: uvicorn writes head and body apart, which costs two system calls.

A third of a small request's CPU is writing its answer, and its client wakes twice to read it.
"""

import asyncio
from typing import Any

JOINED_BYTES_MAX = 64 * 1024
"""A longer body is not worth copying."""
HEAD = b"HTTP/1.1 "


class Whole:
    """A transport on which a head waits for what is written next in this turn of the loop."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self.status = b""
        self.is_closing = transport.is_closing  # asked for each answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """See `asyncio`. The first line's status is kept."""
        if self._head:
            if data.startswith(HEAD):  # after a 100 Continue
                self.status = data[9:12]
            data = self._joined(data)
        elif data.startswith(HEAD):
            self.status = data[9:12]
            self._head = data
            self._loop.call_soon(self.flush)  # what follows may be long in coming, or nothing
            return
        self._transport.write(data)

    def _joined(self, data: bytes) -> bytes:
        if len(data) <= JOINED_BYTES_MAX:
            head, self._head = self._head, b""
            return head + data
        self.flush()
        return data

    def flush(self) -> None:
        """Write the head that waits, if one does."""
        head, self._head = self._head, b""
        if head and not self.is_closing():
            self._transport.write(head)

    def close(self) -> None:
        """See `asyncio`."""
        self.flush()
        self._transport.close()

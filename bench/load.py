"""A closed-loop HTTP load: N connections, each sends its next request when it has its answer.

Raw asyncio protocols on uvloop, so that the client costs less than what it measures.
"""

import abc
import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


@dataclass
class Result:
    """Answers by status, seconds of wall time, latencies in seconds."""

    statuses: dict[int, int] = field(default_factory=dict)
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All answers."""
        return sum(self.statuses.values())

    def quantile_ms(self, share: float) -> float:
        """A latency quantile in milliseconds."""
        return quantile_ms(self.latencies_s, share)


def quantile_ms(latencies_s: Sequence[float], share: float) -> float:
    """The quantile of latencies in seconds, in milliseconds; 1 is the largest."""
    ordered = sorted(latencies_s)
    return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connection(asyncio.Protocol, abc.ABC):
    """One request at a time; a subclass says what comes of its answer."""

    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio`."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio`."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        at = head.lower().find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return
        self._buffer = body[length:]
        self.answered(int(head[9:12]), body[:length])

    @abc.abstractmethod
    def answered(self, status: int, body: bytes) -> None:
        """The answer is complete: the connection may send again."""


class _Closed(Connection):
    def __init__(self, requests: Iterator[bytes], stop_s: float, result: Result) -> None:
        super().__init__()
        self._requests = requests
        self._stop_s = stop_s
        self._result = result
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._next()

    def _next(self) -> None:
        request = None if time.perf_counter() >= self._stop_s else next(self._requests, None)
        if request is None:
            self.transport.close()
            return
        self._sent_s = time.perf_counter()
        self.transport.write(request)

    def answered(self, status: int, body: bytes) -> None:
        self._result.statuses[status] = self._result.statuses.get(status, 0) + 1
        self._result.latencies_s.append(time.perf_counter() - self._sent_s)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def request(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """One HTTP/1.1 request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def run(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Result:
    """Send `requests` round and round over `connections` for `seconds`."""
    result, cycle = Result(), itertools.cycle(requests)
    began_s = time.perf_counter()
    loop = asyncio.get_running_loop()
    opened = [
        await loop.create_connection(
            lambda: _Closed(cycle, began_s + seconds, result), "127.0.0.1", port
        )
        for _ in range(connections)
    ]
    await asyncio.wait_for(asyncio.gather(*(protocol.done for _, protocol in opened)), seconds + 60)
    result.seconds = time.perf_counter() - began_s
    return result

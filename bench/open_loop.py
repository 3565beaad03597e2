"""An open-loop HTTP load: each request goes out at its time, whatever became of those before it.

A client that waits for an answer before it sends again stops asking just when answers are slow, and
does not see what the requests it left out would have waited ("coordinated omission"). Here latency
counts from the time that was fixed beforehand, also when every connection was busy then.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Sequence

from bench.load import Connection

ANSWERS_TIMEOUT_S = 60

Answered = Callable[[int, int, bytes, float], None]
"""Takes the request's number, status and body of its answer, and when that was complete."""


def arrivals(rate: float, seconds: float) -> list[float]:
    """When to send, in seconds from the beginning: `rate` per second at random, as many clients do.

    The same times in every run.
    """
    chance = random.Random(1)
    return sorted(chance.uniform(0, seconds) for _ in range(round(rate * seconds)))


class OpenLoop:
    """Sends request n at `due_s[n]` after its beginning over the connection that was free first.

    All times are of `time.perf_counter`; from `began_s`, which `due_s` counts from, to the last
    answer at `ended_s`.
    """

    def __init__(
        self, requests: Sequence[bytes], due_s: Sequence[float], answered: Answered
    ) -> None:
        self.began_s = self.ended_s = 0.0
        self._requests = requests
        self._due_s = due_s
        self._answered = answered
        self._free: deque[_Open] = deque()
        self._waiting: deque[int] = deque()
        self._left = len(due_s)
        self._done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, port: int, connections: int) -> None:
        """Send all and return with the last answer. Raises `ConnectionError`, `TimeoutError`."""
        loop = asyncio.get_running_loop()
        opened = [
            await loop.create_connection(lambda: _Open(self), "127.0.0.1", port)
            for _ in range(connections)
        ]
        try:
            self.began_s = time.perf_counter()
            for number, due_s in enumerate(self._due_s):
                early_s = self.began_s + due_s - time.perf_counter()
                if early_s > 0:
                    await asyncio.sleep(early_s)
                self._waiting.append(number)
                self._send()
            await asyncio.wait({self._done}, timeout=ANSWERS_TIMEOUT_S)
            if not self._done.done():
                raise TimeoutError(
                    f"{self._left:,} requests got no answer in {ANSWERS_TIMEOUT_S} s"
                )
            self._done.result()
        finally:
            self._done.cancel()
            for transport, _ in opened:
                transport.close()

    def free(self, connection: "_Open") -> None:
        """This connection can take a request."""
        self._free.append(connection)
        self._send()

    def _send(self) -> None:
        while self._waiting and self._free:
            number = self._waiting.popleft()
            self._free.popleft().send(number, self._requests[number % len(self._requests)])

    def answered(self, number: int, status: int, body: bytes) -> None:
        """This request has its answer."""
        self.ended_s = time.perf_counter()
        self._answered(number, status, body, self.ended_s)
        self._left -= 1
        if not self._left and not self._done.done():
            self._done.set_result(None)

    def lost(self) -> None:
        """A connection is gone, and with it perhaps an answer."""
        if not self._done.done():
            self._done.set_exception(ConnectionError("the server closed a connection"))


class _Open(Connection):
    def __init__(self, load: OpenLoop) -> None:
        super().__init__()
        self._load = load
        self._number = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._load.free(self)

    def send(self, number: int, request: bytes) -> None:
        self._number = number
        self.transport.write(request)

    def answered(self, status: int, body: bytes) -> None:
        self._load.answered(self._number, status, body)
        self._load.free(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost()

"""A TCP proxy in front of ClickHouse that knows when an insert is under way, and can break one.

It breaks the next insert after `arm`: its answer is swallowed (the client sees a broken connection)
or held back, or half of its request is. `struck` is set when that has happened; what was held goes
on, to whoever is still there, when `release` is set.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from enum import Enum

HELD_S = 120.0
READ_BYTES = 1 << 16
CHUNKS_END = b"0\r\n\r\n"


class Fault(Enum):
    """What happens to an insert."""

    ANSWER_SWALLOWED = "executed, its answer lost"
    ANSWER_HELD = "executed, its answer late"
    HALF_HELD = "half of it sent, the rest late"


class Proxy:
    """Between one client address and ClickHouse; `under_way` counts the inserts without an answer."""

    def __init__(self, server_port: int) -> None:
        self.port = 0
        self.under_way = 0
        self.inserts = 0
        self.struck = asyncio.Event()
        self.release = asyncio.Event()
        self._server_port = server_port
        self._armed: Fault | None = None
        self._begun = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, fault: Fault) -> None:
        """Break the next insert."""
        self.struck.clear()
        self.release.clear()
        self._armed = fault

    async def next_insert(self, within_s: float = 60.0) -> None:
        """Return when another insert begins."""
        self._begun.clear()
        async with asyncio.timeout(within_s):
            await self._begun.wait()

    def begin(self) -> Fault | None:
        """An insert has begun; what is to become of it."""
        self.under_way += 1
        self.inserts += 1
        self._begun.set()
        fault, self._armed = self._armed, None
        return fault

    async def cut(self) -> None:
        """Break every connection."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Proxy"]:
        """Serve on a free port of loopback while the context is open."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await self.cut()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up: asyncio.StreamWriter | None = None
        try:
            up_reader, up = await asyncio.open_connection("127.0.0.1", self._server_port)
            await _Connection(self, (reader, writer), (up_reader, up)).run()
        except OSError:
            return  # one of the two is gone, so is the connection
        finally:
            for each in (writer, up):
                if each is not None:
                    each.close()


class _Connection:
    """One client's connection: requests one after another, each answered before the next."""

    def __init__(
        self,
        proxy: Proxy,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._answered = True
        self._inserting = False
        self._fault: Fault | None = None

    async def run(self) -> None:
        """Pass on until one side has closed; a broken insert keeps its way to the server open."""
        answers = asyncio.create_task(self._pass_answers())
        requests = asyncio.create_task(self._pass_requests())
        try:
            await asyncio.wait({answers, requests}, return_when=asyncio.FIRST_COMPLETED)
            if self._fault is not None and not answers.done():
                await asyncio.wait({answers}, timeout=HELD_S)
        finally:
            self._answer()
            for task in (answers, requests):
                task.cancel()
            for result in await asyncio.gather(answers, requests, return_exceptions=True):
                if isinstance(result, Exception) and not isinstance(result, OSError):
                    raise result

    async def _pass_requests(self) -> None:
        while data := await self._from_client.read(READ_BYTES):
            if self._answered:
                self._answered = False
                if b"query=INSERT" in data[:READ_BYTES]:
                    self._inserting, self._fault = True, self._proxy.begin()
            if self._fault is Fault.HALF_HELD and not self._proxy.struck.is_set():
                data = await self._half(data)
            self._to_server.write(data)
            await self._to_server.drain()

    async def _half(self, data: bytes) -> bytes:
        """Pass on the head and half of the body, and return the rest when it is released."""
        while not data.endswith(CHUNKS_END):
            more = await self._from_client.read(READ_BYTES)
            if not more:
                raise ConnectionResetError("the client left before its insert was complete")
            data += more
        middle = (data.index(b"\r\n\r\n") + len(data)) // 2
        self._to_server.write(data[:middle])
        await self._to_server.drain()
        await self._held()
        return data[middle:]

    async def _pass_answers(self) -> None:
        while data := await self._from_server.read(READ_BYTES):
            inserting, fault = self._inserting, self._fault
            self._answer()
            if inserting and fault is Fault.ANSWER_SWALLOWED:
                self._proxy.struck.set()
                return
            if inserting and fault is Fault.ANSWER_HELD:
                await self._held()
            self._to_client.write(data)
            await self._to_client.drain()

    async def _held(self) -> None:
        self._proxy.struck.set()
        async with asyncio.timeout(HELD_S):
            await self._proxy.release.wait()

    def _answer(self) -> None:
        """The request under way is over, one way or the other."""
        if self._inserting:
            self._proxy.under_way -= 1
        self._answered, self._inserting = True, False

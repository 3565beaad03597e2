"""chDB behind an asyncio face: a pool of connections, each used by one request at a time.

Every call into the engine blocks, so it runs in a thread. Connections are bounded; a request that
gets none in time is refused with ClickHouse's own error.
"""

import asyncio
import contextlib
import fcntl
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import chdb
from chdb.state.sqlitelike import Connection

from local.clickhouse.errors import TOO_MANY_SIMULTANEOUS_QUERIES, QueryFailed, refused
from local.clickhouse.statement import Insert, Statement

Result = TypeVar("Result")

CONNECTIONS = 8
WAIT_S = 30.0
WRITE_BYTES = 1024 * 1024
BEGUN_BYTES = 256 * 1024  # of an answer are waited for before it is sent
SCRATCH_BYTES_KEPT = 64 * 1024 * 1024


class Session:
    """One connection while one request holds it."""

    def __init__(self, data: Path, scratch: Path) -> None:
        self._data = data
        self._connection: Connection = chdb.connect(str(data))
        self._scratch = tempfile.NamedTemporaryFile(dir=scratch, suffix=".data")  # noqa: SIM115
        # One thread: what a request that was cancelled left running ends before the next begins;
        # chDB answers a query beside an open stream with nothing, as if it were empty.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chdb")
        self.database = "default"

    async def use(self, database: str) -> None:
        """Make `database` the current one."""
        if database and database != self.database:
            await self._call(self._connection.query, f"USE `{database}`")
            self.database = database

    async def query(self, statement: Statement) -> bytes:
        """Run a statement and return the whole answer."""
        if statement.first_word in ("SET", "USE"):
            return await self._call(self._alone, statement)
        result = await self._call(
            self._connection.query, statement.text, statement.format, dict(statement.parameters)
        )
        return await self._call(result.bytes) or b""

    def _alone(self, statement: Statement) -> bytes:
        """Run on a connection of its own, so that nothing reaches the next request."""
        with chdb.connect(str(self._data)) as connection:
            result = connection.query(statement.text, statement.format, dict(statement.parameters))
            return result.bytes() or b""

    async def answer(
        self, statement: Statement
    ) -> tuple[list[bytes], AsyncGenerator[bytes, None] | None]:
        """Run a statement: the first blocks of its answer, and the others, None when that was all."""
        if not statement.streams:
            return [await self.query(statement)], None
        begun, answer = await self._call(self._begin, statement)
        return begun, None if answer is None else self._rest(answer)

    def _begin(self, statement: Statement) -> tuple[list[bytes], Any]:
        """All of a short answer at once: each call into the thread costs a lookup its share."""
        answer: Any = self._connection.send_query(
            statement.text, statement.format, dict(statement.parameters)
        )
        begun: list[bytes] = []
        size = 0
        try:
            while size < BEGUN_BYTES:
                block = _next_block(answer)
                if block is None:
                    answer.close()
                    return begun, None
                begun.append(block)
                size += len(block)
            return begun, answer
        except BaseException:
            answer.close()
            raise

    async def _rest(self, answer: Any) -> AsyncGenerator[bytes, None]:
        try:
            while (block := await self._call(_next_block, answer)) is not None:
                yield block
        finally:
            await self._call(answer.close)

    async def insert(self, insert: Insert, data: AsyncIterator[bytes]) -> int:
        """Run an INSERT with its data; nothing is written unless `data` ends well. Rows written.

        The data goes through a file: chDB's streaming insert (26.9) answers OK and stores nothing
        when a DEFAULT expression throws. The file is written over by the next insert: memory that it
        has is cheaper than new memory.
        """
        file = self._scratch
        await self._call(file.seek, 0)
        waiting: list[bytes] = []  # chunks of the network are small beside a hop to the thread
        size = 0
        async for chunk in data:
            waiting.append(chunk)
            size += len(chunk)
            if size >= WRITE_BYTES:
                await self._call(file.writelines, waiting)
                waiting, size = [], 0
        await self._call(file.writelines, waiting)
        await self._call(file.truncate)
        result = await self._call(self._connection.query, insert.from_file(file.name))
        if file.tell() > SCRATCH_BYTES_KEPT:
            await self._call(file.truncate, 0)
        return int(result.rows_read())

    async def _call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        try:
            loop = asyncio.get_running_loop()
            return await asyncio.shield(loop.run_in_executor(self._thread, function, *arguments))
        except RuntimeError as error:  # chDB's errors are RuntimeErrors
            raise QueryFailed(str(error)) from None

    def close(self) -> None:
        """Finish what runs and close the connection."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._connection.close()
        self._scratch.close()


def _next_block(answer: Any) -> bytes | None:
    block = answer.fetch()
    return None if block is None else block.bytes()


class Engine:
    """The engine on one folder. One per process; a second process on the folder is refused."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self._lock = (path / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit(
                f"Another process serves {path}; stop it or name another --path."
            ) from None
        scratch = path / "inserts"
        shutil.rmtree(scratch, ignore_errors=True)  # of a process that was killed
        scratch.mkdir()
        self._sessions = [Session(path / "data", scratch) for _ in range(CONNECTIONS)]
        self._free: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        for session in self._sessions:
            self._free.put_nowait(session)

    @contextlib.asynccontextmanager
    async def session(self, database: str) -> AsyncIterator[Session]:
        """A free connection. Raises `QueryFailed` (202) when none is free in time."""
        try:
            session = await asyncio.wait_for(self._free.get(), WAIT_S)
        except TimeoutError:
            raise refused(
                TOO_MANY_SIMULTANEOUS_QUERIES,
                f"Too many simultaneous queries. Maximum: {CONNECTIONS}",
                "TOO_MANY_SIMULTANEOUS_QUERIES",
            ) from None
        try:
            await session.use(database or "default")
            yield session
        finally:
            self._free.put_nowait(session)

    def close(self) -> None:
        """Finish what runs and close the folder."""
        for session in self._sessions:
            session.close()

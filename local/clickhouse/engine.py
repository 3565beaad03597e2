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


class Session:
    """One connection while one request holds it."""

    def __init__(self, connection: Connection, run: Callable[..., Any], scratch: Path) -> None:
        self._connection = connection
        self._scratch = scratch
        self._run = run
        self.database = "default"

    async def use(self, database: str) -> None:
        """Make `database` the current one."""
        if database and database != self.database:
            await self._call(self._connection.query, f"USE `{database}`")
            self.database = database

    async def query(self, statement: Statement) -> bytes:
        """Run a statement and return the whole answer."""
        result = await self._call(
            self._connection.query, statement.text, statement.format, dict(statement.parameters)
        )
        return await self._call(result.bytes) or b""

    async def stream(self, statement: Statement) -> AsyncGenerator[bytes, None]:
        """Run a statement and yield its answer block by block."""
        answer = await self._call(
            self._connection.send_query,
            statement.text,
            statement.format,
            dict(statement.parameters),
        )
        try:
            while (block := await self._call(answer.fetch)) is not None:
                yield await self._call(block.bytes)
        finally:
            await self._call(answer.close)

    async def insert(self, insert: Insert, data: AsyncIterator[bytes]) -> int:
        """Run an INSERT with its data; nothing is written unless `data` ends well. Rows written.

        The data goes through a file: chDB's streaming insert (26.9) answers OK and stores nothing
        when a DEFAULT expression throws.
        """
        with tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".data") as file:
            async for chunk in data:
                await self._call(file.write, chunk)
            file.flush()
            result = await self._call(self._connection.query, insert.from_file(file.name))
        return int(result.rows_read())

    async def _call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        try:
            return await asyncio.shield(self._run(function, *arguments))
        except RuntimeError as error:  # chDB's errors are RuntimeErrors
            raise QueryFailed(str(error)) from None


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
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="chdb")
        self._connections = [chdb.connect(str(path / "data")) for _ in range(CONNECTIONS)]
        self._free: asyncio.LifoQueue[Session] = asyncio.LifoQueue()
        for connection in self._connections:
            self._free.put_nowait(Session(connection, self._in_thread, scratch))

    def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

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
        self._threads.shutdown(wait=True, cancel_futures=True)
        for connection in self._connections:
            connection.close()

"""One connection of chDB behind an asyncio face, used by one request at a time.

Every call into the engine blocks, so it runs in the connection's thread. The engine keeps settings,
the current database and temporary tables for each connection apart.
"""

import asyncio
import functools
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import chdb
from chdb.state.sqlitelike import Connection as Chdb

from local.clickhouse.errors import QueryFailed
from local.clickhouse.statement import Insert, Statement, clause, quoted
from local.clickhouse.summary import Figures

Result = TypeVar("Result")

WRITE_BYTES = 1024 * 1024
BEGUN_BYTES = 256 * 1024  # of an answer are waited for before it is sent
SCRATCH_BYTES_KEPT = 64 * 1024 * 1024
NOT_COMPILED = "compile_expressions=0&compile_aggregate_expressions=0&compile_sort_description=0"
"""Compiling costs the first queries of a process more than it saves any that this table is asked."""


class Connection:
    """A connection to the folder `data`; an insert's data goes through a file in `scratch`."""

    def __init__(self, data: Path, scratch: Path) -> None:
        self.figures = Figures()
        self._data = data
        self._scratch = scratch
        self._chdb = self._connect()
        # One thread: what a request that was cancelled left running ends before the next begins;
        # chDB answers a query beside an open stream with nothing, as if it were empty.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chdb")
        self._database = "default"

    def _connect(self) -> Chdb:
        connection: Chdb = chdb.connect(f"{self._data}?{NOT_COMPILED}")
        connection.set_progress_callback(self.figures.progress)
        return connection

    @functools.cached_property
    def _file(self) -> "tempfile._TemporaryFileWrapper[bytes]":
        return tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".data")

    def timezone(self) -> str:
        """The engine's time zone; it blocks."""
        name: str = self._chdb.query("SELECT timezone()", "LineAsString").bytes().decode()
        return name.removesuffix("\n")

    async def use(self, database: str) -> None:
        """Make `database` the current one, and count anew."""
        if database != self._database:
            await self.call(self._chdb.query, f"USE `{database}`")
            self._database = database
        self.figures.begin()

    async def current_database(self) -> str:
        """The current database, after a statement that may have changed it."""
        result = await self.call(self._chdb.query, "SELECT currentDatabase()", "LineAsString")
        self._database = result.bytes().decode().removesuffix("\n")
        return self._database

    async def query(self, statement: Statement) -> bytes:
        """Run a statement and return the whole answer; whatever it changes here stays."""
        return await self.call(self._query, self._chdb, statement)

    async def query_alone(self, statement: Statement) -> bytes:
        """Run on a connection of its own, so that nothing reaches the next request."""
        return await self.call(self._alone, statement)

    def _alone(self, statement: Statement) -> bytes:
        with self._connect() as connection:
            connection.query(f"USE `{self._database}`")
            return self._query(connection, statement)

    def _query(self, connection: Chdb, statement: Statement) -> bytes:
        if not statement.needs_set:
            return self._run(connection, statement)
        before = _settings(connection, statement)
        connection.query(f"SET {clause(statement.settings)}")
        try:
            return self._run(connection, statement)
        finally:
            connection.query(f"SET {before}")

    def _run(self, connection: Chdb, statement: Statement) -> bytes:
        result = connection.query(statement.text, statement.format, dict(statement.parameters))
        self.figures.answered(result)
        return result.bytes() or b""

    async def answer(self, statement: Statement) -> tuple[list[bytes], "Rest | None"]:
        """Run a statement: the first blocks of its answer, and the others, None when that was all."""
        begun, answer = await self.call(self._begin, statement)
        return begun, None if answer is None else Rest(self, answer)

    def _begin(self, statement: Statement) -> tuple[list[bytes], Any]:
        """All of a short answer at once: each call into the thread costs a lookup its share."""
        answer: Any = self._chdb.send_query(
            statement.text, statement.format, dict(statement.parameters)
        )
        begun: list[bytes] = []
        size = 0
        try:
            while size < BEGUN_BYTES:
                block = self.next_block(answer)
                if block is None:
                    answer.close()
                    return begun, None
                begun.append(block)
                size += len(block)
            return begun, answer
        except BaseException:
            answer.close()
            raise

    def next_block(self, answer: Any) -> bytes | None:
        """The next of an open answer, None at its end; it blocks."""
        block = answer.fetch()
        if block is None:
            return None
        self.figures.answered(block)
        data: bytes = block.bytes()
        return data

    async def insert(self, insert: Insert, data: AsyncIterator[bytes]) -> None:
        """Run an INSERT with its data; nothing is written unless `data` ends well.

        The data goes through a file: chDB's streaming insert (26.9) answers OK and stores nothing
        when a DEFAULT expression throws. The file is written over by the next insert: memory that it
        has is cheaper than new memory.
        """
        file = self._file
        await self.call(file.seek, 0)
        waiting: list[bytes] = []  # chunks of the network are small beside a hop to the thread
        size = 0
        async for chunk in data:
            waiting.append(chunk)
            size += len(chunk)
            if size >= WRITE_BYTES:
                await self.call(file.writelines, waiting)
                waiting, size = [], 0
        await self.call(file.writelines, waiting)
        await self.call(file.truncate)
        self.figures.inserted(await self.call(self._chdb.query, insert.from_file(file.name)))
        if file.tell() > SCRATCH_BYTES_KEPT:
            await self.call(file.truncate, 0)

    async def call(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run in the thread. It runs to its end, and in turn, even when nobody waits for it any more."""
        try:
            loop = asyncio.get_running_loop()
            return await asyncio.shield(loop.run_in_executor(self._thread, function, *arguments))
        except RuntimeError as error:  # chDB's errors are RuntimeErrors
            raise QueryFailed(str(error)) from None

    def close(self) -> None:
        """Finish what runs and close the connection."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._chdb.close()
        if "_file" in vars(self):
            self._file.close()


class Rest:
    """The blocks of an answer that have not been fetched. Closed in any case: an open one would leave
    the connection's next query without an answer."""

    def __init__(self, connection: Connection, answer: Any) -> None:
        self._connection = connection
        self._answer = answer

    async def blocks(self) -> AsyncIterator[bytes]:
        """One after another."""
        next_block = self._connection.next_block
        while (block := await self._connection.call(next_block, self._answer)) is not None:
            yield block

    async def close(self) -> None:
        """Give up what is left."""
        await self._connection.call(self._answer.close)


def _settings(connection: Chdb, statement: Statement) -> str:
    """The inside of the SET that brings back what the statement's own settings change."""
    names = ", ".join(map(quoted, statement.settings))
    asked = f"SELECT name, value, changed FROM system.settings WHERE name IN ({names})"  # noqa: S608
    rows = connection.query(asked, "JSONCompactEachRow").bytes() or b""
    values = (json.loads(row) for row in rows.splitlines())
    return ", ".join(
        f"{name} = {quoted(value) if changed else 'DEFAULT'}" for name, value, changed in values
    )

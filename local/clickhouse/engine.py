"""The engine on one folder: a pool of connections for requests without a session, and the sessions.

Both are bounded; a request that gets no turn in time is refused with ClickHouse's own error.
"""

import asyncio
import contextlib
import fcntl
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from local.clickhouse.connection import Connection
from local.clickhouse.errors import TOO_MANY_SIMULTANEOUS_QUERIES, QueryFailed, refused
from local.clickhouse.sessions import Asked, Session, Sessions
from local.clickhouse.statement import Statement

CONNECTIONS = 8
SESSIONS_AT_ONCE = 8
WAIT_S = 30.0


class Engine:
    """One per process; a second process on the folder is refused."""

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

        def connect() -> Connection:
            return Connection(path / "data", scratch)

        self._connections = [connect() for _ in range(CONNECTIONS)]
        self._free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
        for connection in self._connections:
            self._free.put_nowait(connection)
        self.timezone = self._connections[0].timezone()
        self._sessions = Sessions(connect, SESSIONS_AT_ONCE)

    @contextlib.asynccontextmanager
    async def held(self, asked: Asked | None, database: str) -> AsyncIterator["Held"]:
        """A connection for one request. Raises `QueryFailed` (202) when none is free in time."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                if asked is None:
                    connection = await asyncio.wait_for(self._free.get(), WAIT_S)
                    stack.callback(self._free.put_nowait, connection)
                    session = None
                else:
                    session = await stack.enter_async_context(self._sessions.held(asked, WAIT_S))
                    connection = session.connection
            except TimeoutError:
                raise _too_many() from None
            await connection.use(database or (session.database if session else "default"))
            yield Held(connection, session)

    def close(self) -> None:
        """Finish what runs and close the folder."""
        for connection in self._connections:
            connection.close()
        self._sessions.close()


class Held:
    """A connection while one request holds it, and the session that it belongs to, if any."""

    def __init__(self, connection: Connection, session: Session | None) -> None:
        self.connection = connection
        self._session = session

    async def query(self, statement: Statement) -> bytes:
        """The whole answer. What the statement sets is for the session alone, if there is one."""
        if self._session is None:
            alone = statement.stays or statement.needs_set
            run = self.connection.query_alone if alone else self.connection.query
            return await run(statement)
        self._session.keeps |= statement.stays
        answer = await self.connection.query(statement)
        if statement.first_word == "USE":
            self._session.database = await self.connection.current_database()
        return answer


def _too_many() -> QueryFailed:
    return refused(
        TOO_MANY_SIMULTANEOUS_QUERIES,
        f"Too many simultaneous queries. Maximum: {CONNECTIONS}",
        "TOO_MANY_SIMULTANEOUS_QUERIES",
    )

"""ClickHouse over HTTP: one client, every statement with a deadline, no statement sent twice.

clickhouse-connect repeats some requests by itself when the connection breaks, also inserts that may
have been executed, unless their data cannot be read twice: so inserts are given as a stream here.
Repeating is the caller's decision. One refusal is waited out here, that of a quorum which is taken: it
says that nothing was written.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import aiohttp
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from contracts.clickhouse.replicas import QUORUM_TAKEN, Replicas
from service.connections import ClickHouseConnection

QUORUM_POLL_S = 0.02


class ClickHouseFailed(Exception):
    """A statement failed or its outcome is unknown. `code` is ClickHouse's, None without an answer."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ClickHouse:
    """Runs statements; connects at the first one and again after a failure to connect.

    With the name of a `cluster` what is written and read back has the settings of `Replicas`.
    """

    def __init__(self, connection: ClickHouseConnection, cluster: str = "") -> None:
        self.replicas = Replicas(cluster, connection.timeout_s)
        self._connection = connection
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def select(
        self,
        sql: str,
        parameters: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> bytes:
        """The raw answer, in the format that `sql` names. Raises `ClickHouseFailed`.

        `parameters` are the values of `{name:Type}` in `sql`: sent beside it, never written into it.
        """
        answer: bytes = await self._run("raw_query", sql, parameters, settings)
        return answer

    async def read_back(self, sql: str) -> bytes:
        """Like `select`, of every insert that was acknowledged, on whichever replica.

        Raises `ClickHouseFailed`, also when the replica that was asked does not have them all.
        """
        return await self.select(sql, settings=self.replicas.read_back)

    async def execute(self, sql: str, settings: dict[str, Any] | None = None) -> None:
        """Run a statement that changes something. Raises `ClickHouseFailed`."""
        settings = (settings or {}) | self.replicas.write
        await self._write("command", lambda: (sql,), settings=settings, use_database=False)

    async def insert(
        self,
        table: str,
        columns: Sequence[str],
        format_: str,
        data: Callable[[], Iterable[bytes]],
        settings: dict[str, Any],
    ) -> None:
        """Insert what `data` gives, in `format_`, in one request. Raises `ClickHouseFailed`."""

        async def once() -> AsyncIterator[bytes]:
            for piece in data():
                yield piece

        settings = settings | self.replicas.write
        await self._write(
            "raw_insert", lambda: (table, columns, once()), fmt=format_, settings=settings
        )

    async def ping(self) -> bool:
        """Whether ClickHouse answers."""
        try:
            return await self.select("SELECT 1") == b"1\n"
        except ClickHouseFailed:
            return False

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()

    async def _write(
        self, method: str, positional: Callable[[], tuple[Any, ...]], **arguments: Any
    ) -> None:
        give_up = time.monotonic() + self.replicas.wait_s
        while True:
            try:
                await self._run(method, *positional(), **arguments)
                return
            except ClickHouseFailed as error:
                if error.code != QUORUM_TAKEN or time.monotonic() > give_up:
                    raise
            await asyncio.sleep(QUORUM_POLL_S)

    async def _run(self, method: str, *positional: Any, **arguments: Any) -> Any:
        timeout_s = self._connection.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                client = await self._connected()
                return await getattr(client, method)(*positional, **arguments)
        except TimeoutError as error:
            raise ClickHouseFailed(f"no answer within {timeout_s:g} s") from error
        except Error as error:
            raise ClickHouseFailed(str(error)[:1000], error.code) from error
        except (ClickHouseError, aiohttp.ClientError, OSError) as error:
            raise ClickHouseFailed(repr(error)[:1000]) from error

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await get_async_client(
                    dsn=self._connection.url,
                    username=self._connection.username,
                    password=self._connection.password.get_secret_value(),
                    autogenerate_session_id=False,
                    compress=False,
                    connect_timeout=2,
                    send_receive_timeout=round(self._connection.timeout_s) + 1,
                )
            return self._client

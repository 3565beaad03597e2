"""ClickHouse over HTTP: one client, every statement with a deadline, no statement sent twice.

clickhouse-connect repeats some requests by itself when the connection breaks, also inserts that may
have been executed, unless their data cannot be read twice: so inserts are given as a stream here.
Repeating is the caller's decision.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import aiohttp
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from contracts.connections import ClickHouseConnection


class ClickHouseFailed(Exception):
    """A statement failed or its outcome is unknown. `code` is ClickHouse's, None without an answer."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class ClickHouse:
    """Runs statements; connects at the first one and again after a failure to connect."""

    def __init__(self, connection: ClickHouseConnection) -> None:
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

    async def execute(self, sql: str, settings: dict[str, Any] | None = None) -> None:
        """Run a statement that changes something. Raises `ClickHouseFailed`."""
        await self._run("command", sql, settings=settings, use_database=False)

    async def insert(
        self,
        table: str,
        columns: Sequence[str],
        format_: str,
        data: Iterable[bytes],
        settings: dict[str, Any],
    ) -> None:
        """Insert `data`, in ClickHouse's `format_`, in one request. Raises `ClickHouseFailed`."""

        async def once() -> AsyncIterator[bytes]:
            for piece in data:
                yield piece

        await self._run(
            "raw_insert", table, columns, insert_block=once(), fmt=format_, settings=settings
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

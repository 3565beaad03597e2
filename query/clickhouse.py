"""The ClickHouse side of the query service: one HTTP client, every query with a deadline."""

import asyncio

import aiohttp
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from contracts.connections import ClickHouseConnection
from query.store import StoreUnavailable


class ClickHouse:
    """Runs queries; connects at the first one and again after a failure to connect."""

    def __init__(self, connection: ClickHouseConnection) -> None:
        self._connection = connection
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()

    async def select(self, sql: str) -> bytes:
        """The raw answer. Raises `StoreUnavailable` on any failure and when `timeout_s` has passed."""
        try:
            async with asyncio.timeout(self._connection.timeout_s):
                client = await self._connected()
                answer: bytes = await client.raw_query(sql)
                return answer
        except (ClickHouseError, aiohttp.ClientError, OSError, TimeoutError) as error:
            raise StoreUnavailable(f"ClickHouse did not answer: {type(error).__name__}") from error

    async def ping(self) -> bool:
        """Whether ClickHouse answers."""
        try:
            return await self.select("SELECT 1") == b"1\n"
        except StoreUnavailable:
            return False

    async def close(self) -> None:
        """Close the client's connections."""
        if self._client is not None:
            await self._client.close()

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
                )
            return self._client

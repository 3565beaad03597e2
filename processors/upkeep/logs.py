"""Which log a position belongs to: topics by their id (KIP-516), numbered in the order of acceptance.

A topic that was deleted and made anew has the old name and another id. Its offsets begin again, so a
position of it says nothing of the old log's. Nothing of a log that is not accepted is stored: whether
it is a new one or a copy of the old one, somebody has to say (`accept-log`).
"""

import uuid

from contracts.clickhouse.table import INSERT_SETTINGS
from processors.materialize.server import failing_as_transient, read_back
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection

LOGS_TABLE = "logs"
KNOWN = """
SELECT DISTINCT number, topic_id FROM {table} ORDER BY number FORMAT JSONCompactEachRow
"""
ACCEPT = "INSERT INTO {table} (number, topic_id) VALUES ({number}, '{topic_id}')"


class Logs:
    """The logs of a database. Every method raises `Transient` when ClickHouse fails."""

    def __init__(
        self, clickhouse: ClickHouse, connection: ClickHouseConnection, table: str = LOGS_TABLE
    ) -> None:
        self._clickhouse = clickhouse
        self._table = f"{connection.database}.{table}"

    async def known(self) -> dict[uuid.UUID, int]:
        """The number of each log that was accepted, by topic id; a copy has its original's."""
        asked = KNOWN.format(table=self._table)
        lines = await read_back(self._clickhouse, asked, "asking for the logs")
        return {uuid.UUID(topic_id): number for number, topic_id in lines}

    async def accept(self, topic_id: uuid.UUID, number: int) -> None:
        """From now on records of this topic are stored under this number."""
        statement = ACCEPT.format(table=self._table, number=number, topic_id=topic_id)
        with failing_as_transient("accepting a log"):
            await self._clickhouse.execute(statement, dict(INSERT_SETTINGS))

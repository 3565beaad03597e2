"""A database of events as the processors see it: one port for each thing that is done with it.

Who needs several of them, or a fresh table's beside those of the table in use, takes this, not a client.
"""

from contracts.clickhouse.table import EVENTS_TABLE
from processors.materialize.erasures import Erasures
from processors.materialize.rows import MATERIALIZER, ClickHouseRows
from processors.upkeep.coverage import Coverage
from processors.upkeep.deliveries.told import Deliveries
from processors.upkeep.logs import LOGS_TABLE, Logs
from processors.upkeep.swap import FRESH_TABLE, Tables
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection


class Database:
    """Gives the ports of one database; `table` is one of events, `log` the number of a log."""

    def __init__(self, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        self._clickhouse = clickhouse
        self._connection = connection

    def rows(self, log: int, table: str = EVENTS_TABLE, tag: str = MATERIALIZER) -> ClickHouseRows:
        """What the materializer's step needs of a table."""
        return ClickHouseRows(self._clickhouse, self._connection, log, table, tag)

    def rows_in_use(self, log: int) -> ClickHouseRows:
        """The same of the table in use, whichever it is: between a rebuild's swap and its last fill
        what came just before the swap is in the old one alone.
        """
        return ClickHouseRows(self._clickhouse, self._connection, log, beside=FRESH_TABLE)

    def coverage(self, log: int, table: str = EVENTS_TABLE) -> Coverage:
        """What a table holds of a log."""
        return Coverage(self._clickhouse, self._connection.database, log, table)

    def erasures(self, table: str = EVENTS_TABLE) -> Erasures:
        """What was erased, and what takes it away from a table."""
        return Erasures(self._clickhouse, self._connection, table)

    def logs(self, table: str = LOGS_TABLE) -> Logs:
        """The logs that were accepted."""
        return Logs(self._clickhouse, self._connection, table)

    def deliveries(self) -> Deliveries:
        """What became of deliveries, as the ledger's table has it."""
        return Deliveries(self._clickhouse, self._connection.database)

    def tables(self) -> Tables:
        """The two tables of a rebuild."""
        return Tables(self._clickhouse, self._connection)

"""How long ClickHouse keeps events and the ledger: a TTL expression for each, from the settings."""

from contracts.clickhouse.replicas import Replicas
from contracts.clickhouse.schema import TableSettings
from contracts.clickhouse.table import EVENTS_TABLE

FOR_EVER_DAYS = 36_500
"""A hundred years: TTL has no word for never, and DateTime64 ends in 2299."""


def deliveries_ttl(tables: TableSettings) -> str:
    """The TTL expression of the table of deliveries."""
    return f"at + toIntervalDay({tables.deliveries_retention_days})"


def retention_ttl(tables: TableSettings) -> str | None:
    """The TTL expression of the table of events; None when everything is kept for ever.

    One expression without a WHERE, so that ClickHouse knows of each part when it expires.
    """
    days = tables.retention_days
    own = dict(sorted(tables.retention_days_by_tenant.items()))
    if not own:
        return None if days is None else f"received_at + toIntervalDay({days})"
    # a tenant's name has no quote in it: TableSettings refuses it
    names = ", ".join(f"'{name}'" for name in own)
    kept = ", ".join(str(count) for count in own.values())
    default = FOR_EVER_DAYS if days is None else days
    return f"received_at + toIntervalDay(transform(tenant, [{names}], [{kept}], {default}))"


TTL_NOW = """
SELECT extract(engine_full, ' TTL (.*?)(?: SETTINGS |$)') FROM system.tables
WHERE database = '{database}' AND name = '{table}' FORMAT TSVRaw
"""
"""A table's TTL as ClickHouse writes it; an empty line for none."""
EXPIRES_NOW = """
SELECT default_expression FROM system.columns
WHERE database = '{database}' AND table = 'events' AND name = 'expires_at' FORMAT TSVRaw
"""


def modify_ttl(ttl: str | None, database: str, cluster: str, table: str = EVENTS_TABLE) -> str:
    """The statement that gives a table this TTL, or takes its TTL away."""
    change = "REMOVE TTL" if ttl is None else f"MODIFY TTL {ttl}"
    return f"ALTER TABLE {database}.{table}{Replicas(cluster).on_cluster} {change}"


def modify_expires_at(ttl: str | None, database: str, cluster: str) -> str:
    """The statement after which `expires_at` says of each row what this TTL is about to do."""
    column = f"expires_at Nullable(DateTime64(3, 'UTC')) ALIAS {ttl or 'NULL'}"
    return f"ALTER TABLE {database}.events{Replicas(cluster).on_cluster} MODIFY COLUMN {column}"

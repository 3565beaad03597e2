"""The ClickHouse schema as numbered, forward-only migrations: `migrations/NNNN_name.sql`.

Their text is frozen once released: a change is a new file. What differs from one installation to
the next are placeholders: the database, and replication on a cluster. Reads its own files, runs
nothing: `processors/upkeep/migrate.py` does.
"""

import hashlib
import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, StringConstraints

from contracts.clickhouse.replicas import Replicas
from contracts.tenants import TENANT_PATTERN

FOLDER = Path(__file__).parent / "migrations"
ACCESS_FILE = Path(__file__).parent / "analysts.sql"
END_OF_STATEMENT = re.compile(r";[ \t]*(?:\n|$)")
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")  # {since:DateTime} is ClickHouse's own and has a colon

TenantName = Annotated[str, StringConstraints(pattern=TENANT_PATTERN)]
Days = Annotated[int, Field(ge=1, le=36_500)]


class ClusterSettings(BaseModel, frozen=True):
    """Where the tables are; for those who write and read them the same as when they were created."""

    cluster: str = Field(
        "",
        pattern=r"^([A-Za-z][A-Za-z0-9_-]*)?$",
        description="ClickHouse cluster: replicated tables, inserts with a quorum; one server when empty.",
    )


class TableSettings(ClusterSettings, frozen=True):
    """How the tables are created and how long their rows are kept."""

    retention_days: Days | None = Field(
        None, description="How long events are kept in ClickHouse; for ever when left out."
    )
    retention_days_by_tenant: dict[TenantName, Days] = Field(
        {}, description='Other times for some tenants, in days: `{"acme": 30}`.'
    )
    deliveries_retention_days: Days = Field(
        30, description="How long the ledger of deliveries is kept in ClickHouse, in days."
    )


class Migration(NamedTuple):
    """One step of the schema: its number (from 1, without gaps), name and text as released."""

    number: int
    name: str
    text: str

    @property
    def sha256(self) -> str:
        """Of the text with its placeholders, so that it is the same in every installation."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations of this release in their order."""
    found = []
    for path in sorted(FOLDER.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(int(number), name, path.read_text("utf-8")))
    return found


def statements(text: str, database: str, cluster: str = "") -> list[str]:
    """The statements of `text` for one installation. Raises `KeyError` for an unknown placeholder.

    A statement ends with a semicolon at the end of a line.
    """
    values = {
        "database": database,
        "on_cluster": Replicas(cluster).on_cluster,
        "replicated": "Replicated" if cluster else "",
    }
    filled = PLACEHOLDER.sub(lambda found: values[found[1]], text)
    return [each.strip() for each in END_OF_STATEMENT.split(filled) if each.strip()]


PREPARE = """
CREATE DATABASE IF NOT EXISTS {database}{on_cluster};

CREATE TABLE IF NOT EXISTS {database}.schema_migrations{on_cluster}
(
    number UInt32 COMMENT 'Number of the migration, from 1',
    name String COMMENT 'Its name',
    sha256 String COMMENT 'Of its text as it was applied',
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it had been applied'
)
ENGINE = {replicated}ReplacingMergeTree
ORDER BY (number, sha256)
COMMENT 'Migrations that this database has had; written by events migrate';
"""
"""What there must be before the first migration; every statement may be repeated."""

SELECT_APPLIED = """
SELECT DISTINCT number, name, sha256 FROM {database}.schema_migrations
ORDER BY number FORMAT JSONCompactEachRow
"""


def record(migration: Migration, database: str) -> str:
    """The statement that notes `migration` as applied; two of them count once."""
    return (
        f"INSERT INTO {database}.schema_migrations (number, name, sha256)"  # noqa: S608
        f" VALUES ({migration.number}, '{migration.name}', '{migration.sha256}')"
    )

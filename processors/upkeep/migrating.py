"""Migrate as an operator runs it: a line for each step, or the SQL of a read-only user; the exit code."""

import secrets

import uvloop

from contracts.clickhouse.schema import ACCESS_FILE, statements
from processors.settings import SetupSettings
from processors.upkeep.migrate import Migrate, SchemaRefused
from processors.upkeep.operator import DONE, WRONG, Operator
from service.clickhouse import ClickHouse, ClickHouseFailed
from service.settings import BadSettings


def migrate(by: Operator, *, print_access: bool) -> int:
    """Bring the database to this release's schema, or print the SQL."""
    try:
        settings = by.settings()
    except BadSettings as error:
        by.complain(f"Not migrated. {error}")
        return WRONG
    if print_access:
        _print_access(by, settings)
        return DONE
    return uvloop.run(_migrate(by, settings))


async def _migrate(by: Operator, settings: SetupSettings) -> int:
    """Apply what is missing."""
    clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
    database = settings.clickhouse.database
    steps = Migrate(clickhouse, database, settings.tables)
    doing = "Reading what it has had"
    try:
        pending = await steps.pending()
        for number, migration in enumerate(pending, 1):
            name = f"{migration.number:04d}_{migration.name}"
            doing = f"Migration {name}"
            by_us = await steps.apply(migration)
            by.say(f"{number}/{len(pending)}  {name}  applied{'' if by_us else ' by another'}")
        doing = "Retention"
        changed = await steps.retain()
    except SchemaRefused as refused:
        by.complain(f"Nothing was changed. {refused}")
        return WRONG
    except ClickHouseFailed as error:
        by.complain(
            f"{doing} failed at {settings.clickhouse.url}: {error}. What was applied stays;"
            " run it again when the cause is gone."
        )
        return WRONG
    finally:
        await clickhouse.close()
    for statement in changed:
        by.say(f"retention changed: {statement}")
    if not pending and not changed:
        by.say(f"Nothing to do: database {database} has this release's schema and retention.")
    return DONE


def _print_access(by: Operator, settings: SetupSettings) -> None:
    password = secrets.token_urlsafe(24)
    text = ACCESS_FILE.read_text("utf-8")
    for statement in statements(text, settings.clickhouse.database, settings.tables.cluster):
        by.say(statement.replace("$password", password) + ";\n")
    by.note("The user events_analyst gets a password that is made anew at each print; keep it.")

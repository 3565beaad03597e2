"""`events migrate`: bring a ClickHouse database to this release's schema, or print DDL for people."""

import asyncio
import secrets
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import complain, fail
from cli.endpoints import endpoints
from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from processors.settings import SetupSettings


def migrate(
    print_access: Annotated[
        bool,
        typer.Option(
            "--print-access",
            help="Print the SQL of a read-only user, its role, limits and quota; run nothing.",
        ),
    ] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Bring the ClickHouse database to this release's schema; safe to repeat.

    The server is that of EVENTS_CLICKHOUSE__URL, else that of the local stack. EVENTS_TABLES__...
    name a cluster and how long events are kept: see `events settings`.

    \b
    events migrate
    EVENTS_TABLES__RETENTION_DAYS=90 events migrate
    events migrate --print-access | clickhouse-client --multiquery
    """
    from cli.servers import setup_settings
    from service.settings import BadSettings

    try:
        settings = setup_settings()
    except BadSettings as error:
        fail(f"Not migrated. {error}")
    if print_access:
        _print_access(settings)
        return
    if "url" not in settings.clickhouse.model_fields_set:
        url = endpoints(home, port_base).clickhouse
        changed = settings.clickhouse.model_copy(update={"url": url})
        settings = settings.model_copy(update={"clickhouse": changed})
    asyncio.run(_migrate(settings))


async def _migrate(settings: "SetupSettings") -> None:
    """Apply what is missing with a line for each step. Exits 1 with the reason."""
    from processors.upkeep.migrate import Migrate, SchemaRefused
    from service.clickhouse import ClickHouse, ClickHouseFailed

    clickhouse = ClickHouse(settings.clickhouse, settings.tables.cluster)
    database = settings.clickhouse.database
    steps = Migrate(clickhouse, database, settings.tables)
    doing = "Reading what it has had"
    try:
        pending = await steps.pending()
        for number, migration in enumerate(pending, 1):
            doing = f"Migration {migration.number:04d}_{migration.name}"
            await steps.apply(migration)
            typer.echo(f"{number}/{len(pending)}  {migration.number:04d}_{migration.name}  applied")
        doing = "Retention"
        statement = await steps.retain()
    except SchemaRefused as refused:
        fail(f"Nothing was changed. {refused}")
    except ClickHouseFailed as error:
        fail(
            f"{doing} failed at {settings.clickhouse.url}: {error}. What was applied stays;"
            " run it again when the cause is gone."
        )
    finally:
        await clickhouse.close()
    if statement:
        typer.echo(f"retention changed: {statement}")
    if not pending and not statement:
        typer.echo(f"Nothing to do: database {database} has this release's schema and retention.")


def _print_access(settings: "SetupSettings") -> None:
    from contracts.clickhouse.schema import ACCESS_FILE, statements

    password = secrets.token_urlsafe(24)
    text = ACCESS_FILE.read_text("utf-8")
    for statement in statements(text, settings.clickhouse.database, settings.tables.cluster):
        typer.echo(statement.replace("$password", password) + ";\n")
    complain("The user events_analyst gets a password that is made anew at each print; keep it.")

"""`events migrate`: bring a ClickHouse database to this release's schema, or print DDL for people."""

from typing import TYPE_CHECKING, Annotated

import typer

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
    from cli.servers import clickhouse_server, operator, setup_settings
    from processors.upkeep.migrating import migrate as run

    def settings() -> "SetupSettings":
        return setup_settings() if print_access else clickhouse_server(home, port_base)

    raise typer.Exit(run(operator(settings), print_access=print_access))

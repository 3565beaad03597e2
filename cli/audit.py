"""`events audit`: is every record of the log in ClickHouse, once?"""

from typing import Annotated

import typer

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption


def audit(
    to_end: Annotated[
        bool,
        typer.Option(
            "--to-end",
            help="Compare up to the log's end, not only up to what the materializer has committed.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Prove that ClickHouse says what the log says: each event at its place once, rejected, or erased.

    Both sides are read and compared by digests over position, tenant, id and every field. Exit code
    0: proven; 1: something is missing, altered, double or there although it was erased, and named;
    2: it could not be done. The servers are those of EVENTS_KAFKA__... and EVENTS_CLICKHOUSE__...,
    else those of the local stack.

    \b
    events audit
    events audit --json | jq .missing
    """
    from cli.servers import operator, servers
    from processors.upkeep.commands import audit as run

    raise typer.Exit(
        run(operator(lambda: servers(home, port_base)), to_end=to_end, as_json=as_json)
    )

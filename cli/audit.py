"""`events audit`: is every record of the log in ClickHouse, once? And was it delivered?"""

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
    deliveries: Annotated[
        bool,
        typer.Option(
            "--deliveries",
            help="Prove instead that each event was delivered to each subscription that it matched, is"
            " dead with a cause, cancelled, or waits; print the rest.",
        ),
    ] = False,
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="DURATION",
            help="With --deliveries: events of so long ago and later, 90m, 24h, 7d; 24h by default.",
        ),
    ] = "",
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="TIME",
            help="With --deliveries: events received then or later (RFC 3339).",
        ),
    ] = "",
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="TIME", help="With --deliveries: events received before (RFC 3339)."
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Prove that ClickHouse says what the log says: each event at its place once, rejected, or erased.

    Both sides are read and compared by digests over position, tenant, id and every field. With
    --deliveries the log is compared with the ledger of deliveries, by the subscriptions as they are now:
    those that were changed since an event was received are counted, not judged. Exit code
    0: proven; 1: something is missing, altered, double or there although it was erased, or a delivery is
    not accounted for, and named; 2: it could not be done. The servers are those of EVENTS_KAFKA__... and
    EVENTS_CLICKHOUSE__..., else those of the local stack.

    \b
    events audit
    events audit --json | jq .missing
    events audit --deliveries --since 7d
    """
    from cli.servers import operator, servers
    from processors.upkeep.commands import audit as run
    from processors.upkeep.deliveries.command import NEEDS_DELIVERIES, audit_deliveries
    from processors.upkeep.deliveries.period import When

    by = operator(lambda: servers(home, port_base))
    when = When(since, from_, to)
    if deliveries:
        raise typer.Exit(audit_deliveries(by, when, to_end=to_end, as_json=as_json))
    if any(when):
        by.complain(NEEDS_DELIVERIES)
        raise typer.Exit(2)
    raise typer.Exit(run(by, to_end=to_end, as_json=as_json))

"""`events token|tail`: get in, watch the log."""

import asyncio
from typing import Annotated

import typer

from cli.answers import fail
from cli.endpoints import LIFETIME_S, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.terminal import is_shown

INTERRUPTED = 130


def token(
    tenant: TenantOption = TENANT,
    scope: Annotated[str, typer.Option(help="Scopes, separated by spaces.")] = "authentication",
    lifetime_s: Annotated[
        int, typer.Option("--lifetime-s", min=1, max=24 * 3600, help="Seconds until it expires.")
    ] = LIFETIME_S,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print an access token of the local issuer.

    \b
    curl -H "Authorization: Bearer $(events token --tenant acme)" -H "X-TWC-Tenant: acme" ...
    """
    typer.echo(endpoints(home, port_base).token(tenant, scope, lifetime_s))


def tail(
    topic: Annotated[str, typer.Option(help="The topic to follow.")] = "events",
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Stop after this many records; 0 for never.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the values; null for none. As it is when piped.")
    ] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Follow the Kafka topic, one line per record; Ctrl-C ends it.

    Time, partition:offset, tenant, type (ERASED for a tombstone), source, operation, entity, id.
    Piped, the records' values: JSON lines.

    \b
    events tail --from-beginning --limit 10
    events tail --json | jq .event_payload.operation
    """
    from cli.tail import CannotFollow, follow, line

    kafka = endpoints(home, port_base).kafka

    as_json = as_json or not is_shown()

    async def run() -> None:
        async for record in follow(kafka, topic, from_beginning, limit):
            value = b"null" if record.value is None else record.value
            typer.echo(value.decode(errors="replace") if as_json else line(record))

    try:
        asyncio.run(run())
    except CannotFollow as error:
        fail(f"{error}. See what runs: events status. Start it: events up")
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None

"""`events token|get|find|sql|tail`: get in, find one event or some, query them all, watch the log."""

import asyncio
import json
import sys
from typing import Annotated

import typer

from cli.answers import TIMEOUT_S, fail, show_json, unreachable, why
from cli.endpoints import LIFETIME_S, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption

DATABASE = "events"
QUERY_TIMEOUT_S = 600.0  # between two parts of an answer
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


def get(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one event as JSON.

    \b
    events get 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events get 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --tenant acme > event.json
    """
    import httpx

    answer = endpoints(home, port_base).ask_about(event_id, "GET", tenant)
    if answer.status_code != httpx.codes.OK:
        fail(f"No event: {why(answer)}")
    show_json(answer.text)


def find(
    criteria: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Parameters of the search.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Stop after this many events.")] = 50,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print events that meet all criteria, newest first, one JSON text a line.

    \b
    events find event_type=FAULT q=timeout from=2026-01-31T12:00:00Z
    events find key_attributes.correlationId=4711 --limit 1000 | jq .entity_id
    """
    import httpx

    where = endpoints(home, port_base)
    pairs = [(name, value) for name, _, value in (each.partition("=") for each in criteria or ())]
    url = f"{where.api}/api/v1/events?{httpx.QueryParams([*pairs, ('limit', min(limit, 200))])}"
    try:
        with httpx.Client(headers=where.headers(tenant), timeout=TIMEOUT_S) as client:
            while limit > 0:
                answer = client.get(url)
                if answer.status_code != httpx.codes.OK:
                    fail(f"No events: {why(answer)}")
                for event in answer.json()["events"][:limit]:
                    typer.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
                    limit -= 1
                if "next" not in answer.links:
                    break
                url = str(answer.url.join(answer.links["next"]["url"]))
    except httpx.TransportError as error:
        unreachable(where.api, error)


def sql(
    query: Annotated[str, typer.Argument(metavar="SQL", help="One statement.")],
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="ClickHouse's name of the output format. On a terminal a table is drawn, else"
            " tab-separated lines are written.",
        ),
    ] = "",
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Run SQL in ClickHouse; its database is `events`.

    \b
    events sql "SELECT event_type, count() FROM events GROUP BY event_type"
    events sql "SELECT payload FROM events WHERE tenant = 'acme' LIMIT 1" --format Vertical
    events sql "SELECT * FROM events" --format Parquet > events.parquet
    """
    import httpx

    where = endpoints(home, port_base)
    default = "PrettyCompactMonoBlock" if sys.stdout.isatty() else "TabSeparatedWithNames"
    parameters = {"database": DATABASE, "default_format": format_ or default}
    timeout = httpx.Timeout(TIMEOUT_S, read=QUERY_TIMEOUT_S)
    began = False
    try:
        with httpx.stream(
            "POST", where.clickhouse, params=parameters, content=query.encode(), timeout=timeout
        ) as answer:
            if answer.status_code != httpx.codes.OK:
                fail(answer.read().decode(errors="replace").strip())
            began = True
            for part in answer.iter_bytes():
                sys.stdout.buffer.write(part)
    except httpx.TransportError as error:
        if began:
            fail(f"The answer broke off: {error}. What was printed is not all of it.")
        unreachable(where.clickhouse, error)
    sys.stdout.flush()


def tail(
    topic: Annotated[str, typer.Option(help="The topic to follow.")] = "events",
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest record.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=0, help="Stop after this many records; 0 for never.")
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the values; null for none.")
    ] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Follow the Kafka topic, one line per record; Ctrl-C ends it.

    Time, partition:offset, tenant, type (ERASED for a tombstone), source, operation, entity, id.

    \b
    events tail --from-beginning --limit 10
    events tail --json | jq .event_payload.operation
    """
    from cli.tail import CannotFollow, follow, line

    kafka = endpoints(home, port_base).kafka

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

"""`events get|find`: one event, or all that meet some criteria; read by a person or by a program."""

import difflib
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import TIMEOUT_S, fail, misused, unreachable, why
from cli.endpoints import Endpoints, endpoints
from cli.options import (
    HOME,
    PORT_BASE,
    TENANT,
    HomeOption,
    JsonOption,
    PortBaseOption,
    TenantOption,
)
from cli.terminal import is_shown

if TYPE_CHECKING:
    from httpx import Client
    from pydantic import BaseModel

ATTRIBUTE = "key_attributes."
PAGE = 200

Pairs = list[tuple[str, str]]


def get(
    event_id: Annotated[str, typer.Argument(metavar="ID", help="The event's id.")],
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one event, with payload and fault decoded; piped, as JSON.

    \b
    events get 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events get 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --tenant acme > event.json
    """
    import httpx

    from cli.event_view import show

    answer = endpoints(home, port_base).ask_about(event_id, "GET", tenant)
    if answer.status_code != httpx.codes.OK:
        fail(f"No event: {why(answer)}")
    if as_json or not is_shown():
        typer.echo(answer.text)
    else:
        show(answer.text)


def find(
    criteria: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Parameters of the search.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Stop after this many events.")] = 50,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print events that meet all criteria, newest first; piped, one JSON text a line.

    \b
    events find event_type=FAULT q=timeout from=2026-01-31T12:00:00Z
    events find key_attributes.correlationId=4711 --limit 1000 | jq .entity_id
    """
    import httpx

    pairs, where = read_pairs(criteria or []), endpoints(home, port_base)
    try:
        with httpx.Client(headers=where.headers(tenant), timeout=TIMEOUT_S) as client:
            pages = _pages(client, where, pairs, limit)
            if as_json or not is_shown():
                for event in (event for page in pages for event in page):
                    typer.echo(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
            else:
                _show(pages, limit)
    except httpx.TransportError as error:
        unreachable(where.api, error)


def read_pairs(criteria: list[str], model: "type[BaseModel] | None" = None) -> Pairs:
    """Names and values. Exits 2 when one has no value or a name that no search (or `model`) has."""
    from contracts.criteria import Criteria

    fields = (model or Criteria).model_fields.items()
    names = [field.alias or name for name, field in fields if name != "key_attributes"]
    known = [*names, f"{ATTRIBUTE}NAME"]
    pairs = []
    for each in criteria:
        name, equals, value = each.partition("=")
        if not equals:
            misused(f"{each}: write NAME=VALUE; names are {', '.join(known)}.")
        if name not in names and not (name.startswith(ATTRIBUTE) and name != ATTRIBUTE):
            meant = "Write --limit N. " if name == "limit" else _suggestion(name, names)
            misused(f"No field {name}. {meant}There are {', '.join(known)}.")
        pairs.append((name, value))
    return pairs


def _suggestion(name: str, names: list[str]) -> str:
    attribute = f"{ATTRIBUTE}{name.rpartition('.')[2]}"
    close = difflib.get_close_matches(name.lower(), [*names, attribute], n=1)
    return f"Did you mean {close[0]}? " if close else ""


def _pages(
    client: "Client", where: Endpoints, pairs: Pairs, limit: int
) -> Iterator[list[dict[str, Any]]]:
    """At most `limit` events in pages. Exits 1 with the reason when the API refuses."""
    import httpx

    url = f"{where.api}/api/v1/events?{httpx.QueryParams([*pairs, ('limit', min(limit, PAGE))])}"
    while limit > 0:
        answer = client.get(url)
        if answer.status_code != httpx.codes.OK:
            fail(f"No events: {why(answer)}")
        events = answer.json()["events"][:limit]
        limit -= len(events)
        yield events
        if "next" not in answer.links:
            return
        url = str(answer.url.join(answer.links["next"]["url"]))


def _show(pages: Iterator[list[dict[str, Any]]], limit: int) -> None:
    """A table for each page that holds any, and what to do next."""
    from rich.console import Console

    from cli.event_view import table

    count, console = 0, Console()
    for page in pages:
        if page:
            console.print(table(page, console.width), highlight=False)
        count += len(page)
    if not count:
        typer.secho("No event meets all of this.", err=True)
    elif count == limit:
        typer.secho(f"The newest {count:,}; more: --limit. All of one: events get ID", err=True)
    else:
        typer.secho(f"{count:,} found. All of one: events get ID", err=True)

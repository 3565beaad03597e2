"""`events deliveries`: what became of events on their way to queues; what is dead, and why."""

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, get_args

import typer

from cli.answers import misused
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
from cli.pages import pages_of
from cli.send_again import redrive
from cli.subscription_requests import ask, quoted
from cli.terminal import is_shown
from contracts import paths

app = typer.Typer(
    name="deliveries",
    no_args_is_help=True,
    help="What became of events on their way to queues: delivered, waiting, dead or cancelled.",
)
app.command()(redrive)

Found = dict[str, Any]
SubscriptionOption = Annotated[
    str, typer.Option("--subscription", metavar="ID", help="Of this one; of all when left out.")
]
CodeOption = Annotated[str, typer.Option("--code", help="With this error code at the last.")]
FromOption = Annotated[str, typer.Option("--from", help="Then or later (RFC 3339).")]
ToOption = Annotated[str, typer.Option("--to", help="Before (RFC 3339).")]
LimitOption = Annotated[int, typer.Option(min=1, help="Stop after so many.")]


@app.command("list")
def list_(
    subscription: SubscriptionOption = "",
    event: Annotated[str, typer.Option("--event", metavar="ID", help="Of this event.")] = "",
    state: Annotated[
        str, typer.Option("--state", help="delivered, waiting, dead or cancelled.")
    ] = "",
    code: CodeOption = "",
    from_: FromOption = "",
    to: ToOption = "",
    limit: LimitOption = 50,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print deliveries, newest first; of an event every attempt. Piped, one JSON text a line.

    \b
    events deliveries list --subscription 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --state waiting
    events deliveries list --event 01932c50-71db-7000-8a5b-2f6c9d0e1a2b
    events deliveries list --from 2026-01-31T12:00:00Z --limit 10000 | jq -r .event_id
    """
    from cli.delivery_tables import attempts_table, deliveries_table
    from contracts.ledger import DeliveryState

    known = get_args(DeliveryState)
    if state and state not in known:
        misused(f"No state {state}. There are {', '.join(known)}.")
    where = endpoints(home, port_base)
    if event:
        if subscription or code or from_ or to:
            misused("--event shows every attempt: it goes with --state alone.")
        path = f"{paths.EVENTS}/{quoted(event)}/deliveries"
        answer = ask(where, tenant, "GET", path).json()
        of_event = [each for each in answer["deliveries"] if state in ("", each["state"])]
        _print(of_event, as_json, lambda: attempts_table(of_event), answer["detail"])
        return
    criteria = {"state": state, "code": code, "from": from_, "to": to}
    found = list(islice(_deliveries(where, tenant, subscription, criteria), limit))
    more = "; more: --limit" if len(found) == limit else ""
    _print(found, as_json, lambda: deliveries_table(found), f"{len(found):,} found{more}")


@app.command()
def dead(
    subscription: SubscriptionOption = "",
    code: CodeOption = "",
    from_: FromOption = "",
    to: ToOption = "",
    limit: LimitOption = 1000,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print what was given up, with the cause: counts by code first. Piped, one JSON text a line.

    \b
    events deliveries dead
    events deliveries dead --code AccessDenied --from 2026-01-31T12:00:00Z | jq -r .event_id
    """
    from cli.delivery_tables import causes_and_deliveries

    criteria = {"state": "dead", "code": code, "from": from_, "to": to}
    where = endpoints(home, port_base)
    found = list(islice(_deliveries(where, tenant, subscription, criteria), limit))
    more = "; more: --limit" if len(found) == limit else ""
    _print(found, as_json, lambda: causes_and_deliveries(found), f"{len(found):,} dead{more}")


def _deliveries(
    where: Endpoints, tenant: str, subscription: str, criteria: dict[str, str]
) -> Iterator[Found]:
    """Of one subscription, or of each that there is, newest first."""
    from cli.subscriptions import pages

    ids = [subscription] if subscription else [each["id"] for each in pages(where, tenant)]
    given = {name: text for name, text in criteria.items() if text}
    for each in ids:
        path = f"{paths.SUBSCRIPTIONS}/{quoted(each)}/deliveries"
        yield from pages_of(where, tenant, path, "deliveries", given)


def _print(found: Iterable[Found], as_json: bool, drawn: Any, told: str) -> None:
    """JSON lines for a program; for a person what `drawn` makes, and `told` behind it."""
    if as_json or not is_shown():
        for each in found:
            typer.echo(json.dumps(each, ensure_ascii=False, separators=(",", ":")))
        return
    from rich.console import Console

    if found:
        Console().print(drawn(), highlight=False)
    typer.secho(told, err=True)

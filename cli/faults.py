"""`events faults`: what fails, by kind, and what sets one kind apart."""

import json
from itertools import islice
from typing import Annotated, Any

import typer

from cli.endpoints import endpoints
from cli.fault_states import known, quiet, reopen, resolve
from cli.find import read_pairs
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
from cli.subscription_requests import ask, quoted
from cli.terminal import is_shown
from contracts import paths

app = typer.Typer(
    name="faults", help="What fails, by kind; what sets one kind apart; what is done about it."
)
for command in (resolve, known, quiet, reopen):
    app.command()(command)

FromOption = Annotated[str, typer.Option("--from", help="Then or later (RFC 3339).")]
ToOption = Annotated[str, typer.Option("--to", help="Before (RFC 3339).")]
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="NAME=VALUE", help="Only such; may come again, all must hold."),
]


@app.callback(invoke_without_command=True)
def faults(
    context: typer.Context,
    from_: FromOption = "",
    to: ToOption = "",
    where: WhereOption = None,
    order: Annotated[
        str, typer.Option("--order", help="count, last_seen, first_seen or entities.")
    ] = "count",
    limit: Annotated[int, typer.Option(min=1, help="Stop after so many kinds.")] = 50,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print failures by kind, with their course; of the last days unless told. Piped, JSON lines.

    \b
    events faults
    events faults --from 2026-01-31T12:00:00Z --where event_source=ORDER --where q=timeout
    events faults --order first_seen --limit 5
    events faults | jq -r '[.count, .message] | @tsv'
    """
    if context.invoked_subcommand is not None:
        return
    criteria = _criteria(from_, to, where or []) | {"order": order}
    at = endpoints(home, port_base)
    found = list(islice(pages_of(at, tenant, paths.FAULTS, "faults", criteria), limit))
    if as_json or not is_shown():
        for each in found:
            typer.echo(json.dumps(each, ensure_ascii=False, separators=(",", ":")))
        return
    from rich.console import Console

    from cli.fault_tables import faults_table

    if found:
        Console().print(faults_table(found), highlight=False)
    more = "; more: --limit" if len(found) == limit else ""
    typer.secho(f"{len(found):,} kinds{more}. More of one: events faults show ID", err=True)


@app.command()
def show(
    fingerprint: Annotated[str, typer.Argument(metavar="ID", help="The kind's id.")],
    from_: FromOption = "",
    to: ToOption = "",
    where: WhereOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one kind: its course, whom it concerns, what sets its events apart from the others.

    \b
    events faults show 0cc9f27410257dad
    events faults show 0cc9f27410257dad --from 2026-01-31T12:00:00Z --json | jq .differences
    """
    from cli.answers import show_json

    criteria = _criteria(from_, to, where or [])
    path = paths.FAULT.format(fingerprint=quoted(fingerprint))
    answer = ask(endpoints(home, port_base), tenant, "GET", path, params=criteria)
    if as_json or not is_shown():
        show_json(answer.text)
        return
    from rich.console import Console

    from cli.fault_tables import fault_shown

    Console().print(fault_shown(answer.json()), highlight=False)


def _criteria(from_: str, to: str, where: list[str]) -> dict[str, Any]:
    """The parameters. Exits 2 when one has no value or a name that groups are not found by."""
    from contracts.faults import FaultCriteria

    given = {name: text for name, text in (("from", from_), ("to", to)) if text}
    return given | dict(read_pairs(where, FaultCriteria))

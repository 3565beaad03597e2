"""`events subscriptions identity`, `confirm` and `check`: proving whose a queue is, and looking at it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.endpoints import endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.subscription_requests import IdArgument, JsonOption, ask, path_of
from cli.subscription_tables import show, table_of
from contracts import paths

if TYPE_CHECKING:
    from rich.console import RenderableType


def identity(
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print the tenant's external id, and the trust policy of a role that may be assumed to send.

    \b
    events subscriptions identity
    events subscriptions identity --json | jq .trust_policy > trust.json
    """
    told = ask(endpoints(home, port_base), tenant, "GET", paths.IDENTITY).json()
    show(told, as_json, lambda: _identity_lines(told))


def confirm(
    subscription_id: IdArgument,
    token: Annotated[
        str, typer.Argument(metavar="TOKEN", help="As the message in the queue has it.")
    ],
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Post back the token that came into the subscription's queue, within a day.

    \b
    events subscriptions confirm 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b TOKEN
    """
    where, path = endpoints(home, port_base), f"{path_of(subscription_id)}/confirm"
    answer = ask(where, tenant, "POST", path, json={"token": token}).json()
    show(answer, as_json, lambda: table_of([answer]))


def check(
    subscription_id: IdArgument,
    send_test: Annotated[
        bool,
        typer.Option("--send-test", help="Send one message, marked `test`: else nobody can tell."),
    ] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Look at the subscription's queues as they would be sent to. Exit 1 when something is wrong.

    \b
    events subscriptions check 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --send-test
    """
    where, path = endpoints(home, port_base), f"{path_of(subscription_id)}/check"
    answer = ask(where, tenant, "POST", path, json={"send_test": send_test}).json()
    show(answer, as_json, lambda: _findings_table(answer))
    if not answer["passed"]:
        raise typer.Exit(1)


def _identity_lines(told: dict[str, Any]) -> "RenderableType":
    import json

    from rich.console import Group
    from rich.text import Text

    lines = [f"external id  {told['external_id']}"]
    if told["trust_policy"] is None:
        lines.append("Ask your operator who assumes the role: EVENTS_DESTINATIONS__PRINCIPAL.")
    else:
        lines += ["The role's trust policy:", json.dumps(told["trust_policy"], indent=2)]
    return Group(*map(Text, lines))


def _findings_table(answer: dict[str, Any]) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    table = Table("queue", "check", "", "what was found", "code")
    for row in _rows(answer):
        table.add_row(*map(Text, row))
    return table


def _rows(answer: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for queue in ("destination", "dead_letter"):
        for each in answer[queue] or ():
            yield queue, each["check"], each["state"], each["detail"], each["code"]

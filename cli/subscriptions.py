"""`events subscriptions`: which events of a tenant go to which queue; create, look, edit, try, explain."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import lifecycle, ownership
from cli.answers import fail
from cli.delivery_options import (
    DeadLetterOption,
    FairnessOption,
    MessagesPerSOption,
    RetryForOption,
    RetryPauseOption,
    settings_given,
)
from cli.endpoints import Endpoints, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.send_again import replay
from cli.subscription_requests import (
    MERGE_PATCH,
    FileArgument,
    IdArgument,
    JsonOption,
    ask,
    path_of,
    quoted,
    read_object,
    with_members,
)
from cli.subscription_tables import changes_table, show, table_of
from contracts import paths

if TYPE_CHECKING:
    from rich.console import RenderableType

app = typer.Typer(
    name="subscriptions",
    no_args_is_help=True,
    help="Which events go to which queue: create, look, edit, try a filter, explain an event.",
)

for command in (
    *(ownership.check, ownership.confirm, ownership.identity, replay),
    *(lifecycle.enable, lifecycle.disable),
):
    app.command()(command)


@app.command("list")
def list_(
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print all subscriptions of the tenant.

    \b
    events subscriptions list
    events subscriptions list --json | jq -r '.items[] | select(.enabled | not).id'
    """
    where = endpoints(home, port_base)
    items = list(pages(where, tenant))
    show({"items": items}, as_json, lambda: table_of(items))


def pages(where: Endpoints, tenant: str) -> Iterator[dict[str, Any]]:
    """The tenant's subscriptions."""
    parameters: dict[str, Any] | None = {"limit": 1000}
    while parameters:
        page = ask(where, tenant, "GET", paths.SUBSCRIPTIONS, params=parameters).json()
        yield from page["items"]
        cursor = page["next"]
        parameters = {"limit": 1000, "cursor": cursor} if cursor else None


@app.command("show")
def show_(
    subscription_id: IdArgument,
    changes: Annotated[
        bool, typer.Option("--changes", help="Who changed it and when, newest first.")
    ] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one subscription and how its queue does, or who changed it.

    Piped, or with --json, the subscription alone.

    \b
    events subscriptions show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events subscriptions show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --changes
    """
    from cli.subscription_page import page_of

    path = path_of(subscription_id) + ("/changes" if changes else "")
    where = endpoints(home, port_base)
    found = ask(where, tenant, "GET", path).json()

    def drawn() -> "RenderableType":
        if changes:
            return changes_table(found["items"])
        return page_of(found, ask(where, tenant, "GET", f"{path}/health").json())

    show(found, as_json, drawn)


@app.command()
def create(
    file: FileArgument,
    key: Annotated[
        str, typer.Option("--key", help="Idempotency-Key: a repeat creates nothing.")
    ] = "",
    fairness: FairnessOption = None,
    messages_per_s: MessagesPerSOption = None,
    retry_for: RetryForOption = None,
    retry_pause: RetryPauseOption = None,
    dead_letter: DeadLetterOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Create a subscription from a file: name, filter, destination; description, labels, enabled, delivery.

    \b
    events subscriptions create faults.json
    echo '{"name": "faults", "filter": {"event_type": ["FAULT"]}, "destination": {"type": "sqs",
      "arn": "arn:aws:sqs:eu-west-1:000000000000:faults"}}' | events subscriptions create - --key faults
    events subscriptions create faults.json --messages-per-s 200 --retry-for 36h
    """
    body, where = read_object(file), endpoints(home, port_base)
    if delivery := settings_given(fairness, messages_per_s, retry_for, retry_pause, dead_letter):
        body = with_members(body, {"delivery": delivery})
    headers = {"Idempotency-Key": key} if key else {}
    answer = ask(where, tenant, "POST", paths.SUBSCRIPTIONS, content=body, headers=headers).json()
    show(answer, as_json, lambda: table_of([answer]))


@app.command()
def edit(
    subscription_id: IdArgument,
    file: Annotated[
        str,
        typer.Argument(metavar="[PATCH]", help="Members to change (RFC 7396); - for stdin."),
    ] = "",
    enable: Annotated[
        bool | None, typer.Option("--enable/--disable", help="Let it receive events, or not.")
    ] = None,
    fairness: FairnessOption = None,
    messages_per_s: MessagesPerSOption = None,
    retry_for: RetryForOption = None,
    retry_pause: RetryPauseOption = None,
    dead_letter: DeadLetterOption = None,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Change members of a subscription; what somebody else changes meanwhile is not overwritten.

    \b
    events subscriptions edit 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --disable
    events subscriptions edit 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --messages-per-s 0
    echo '{"labels": {"team": "orders"}, "filter": {"entity_id": null}}' |
      events subscriptions edit 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b -
    """
    members: dict[str, Any] = {} if enable is None else {"enabled": enable}
    if delivery := settings_given(fairness, messages_per_s, retry_for, retry_pause, dead_letter):
        members["delivery"] = delivery
    if not members and not file:
        fail("Nothing to change: name a patch, or an option such as --disable.")
    patch = read_object(file) if file else b"{}"
    if members:
        patch = with_members(patch, members)
    where, path = endpoints(home, port_base), path_of(subscription_id)
    seen = ask(where, tenant, "GET", path).headers["ETag"]
    headers = MERGE_PATCH | {"If-Match": seen}
    answer = ask(where, tenant, "PATCH", path, content=patch, headers=headers).json()
    show(answer, as_json, lambda: table_of([answer]))


@app.command()
def delete(
    subscription_id: IdArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Delete a subscription: events accepted from now on do not go to its queue.

    \b
    events subscriptions delete 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --yes
    """
    where = endpoints(home, port_base)
    if not yes:
        typer.confirm(f"Delete subscription {subscription_id} of {tenant}?", abort=True)
    ask(where, tenant, "DELETE", path_of(subscription_id))


@app.command("test")
def try_filter(
    file: FileArgument,
    from_: Annotated[str, typer.Option("--from", help="Received then or later (RFC 3339).")] = "",
    to: Annotated[str, typer.Option("--to", help="Received before (RFC 3339).")] = "",
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Count the events that a filter would have accepted; FILE is a filter, or has a member `filter`.

    \b
    echo '{"event_type": ["FAULT"]}' | events subscriptions test -
    events subscriptions test faults.json --from 2026-01-31T12:00:00Z
    """
    from cli.subscription_tables import test_lines

    document = json.loads(read_object(file))
    body = {"filter": document.get("filter", document), "from": from_, "to": to}
    given = json.dumps({name: member for name, member in body.items() if member != ""})
    where = endpoints(home, port_base)
    answer = ask(where, tenant, "POST", paths.BACK_TEST, content=given).json()
    show(answer, as_json, lambda: test_lines(answer))


@app.command()
def explain(
    event_id: Annotated[str, typer.Argument(metavar="EVENT", help="The event's id.")],
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Say for each subscription whether it accepts the event, and what did not hold.

    \b
    events subscriptions explain 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    """
    from cli.subscription_tables import explained_table

    where, path = endpoints(home, port_base), f"{paths.EVENTS}/{quoted(event_id)}/explain"
    answer = ask(where, tenant, "GET", path).json()
    show(answer, as_json, lambda: explained_table(answer))

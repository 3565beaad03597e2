"""`events subscriptions`: which events of a tenant go to which queue; create, look, edit, try, explain."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.answers import TIMEOUT_S, fail, unreachable, why
from cli.endpoints import Endpoints, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.subscription_tables import show, table_of
from contracts import paths

if TYPE_CHECKING:
    from httpx import Response

app = typer.Typer(
    name="subscriptions",
    no_args_is_help=True,
    help="Which events go to which queue: create, look, edit, try a filter, explain an event.",
)

MERGE_PATCH = {"Content-Type": "application/merge-patch+json"}

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The subscription's id.")]
FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="JSON; - for standard input.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For programs: the API's answer.")]


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def _ask(where: Endpoints, tenant: str, method: str, path: str, **request: Any) -> "Response":
    """What the API answers. Exit 1 when nobody answers or it refuses."""
    import httpx

    headers = where.headers(tenant) | request.pop("headers", {})
    try:
        answer = httpx.request(
            method, f"{where.api}{path}", headers=headers, timeout=TIMEOUT_S, **request
        )
    except httpx.TransportError as error:
        unreachable(where.api, error)
    if not answer.is_success:
        fail(f"Refused: {why(answer)}")
    return answer


def _read(file: str) -> bytes:
    """The file's bytes. Exit 1 when they are no JSON object."""
    if file == "-":
        body = sys.stdin.buffer.read()
    else:
        with open(file, "rb") as opened:
            body = opened.read()
    try:
        is_object = isinstance(json.loads(body), dict)
    except ValueError as error:
        fail(f"{file} is not JSON: {error}")
    if not is_object:
        fail(f"{file} holds no JSON object.")
    return body


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
    items = list(_pages(where, tenant))
    show({"items": items}, as_json, lambda: table_of(items))


def _pages(where: Endpoints, tenant: str) -> Iterator[dict[str, Any]]:
    parameters: dict[str, Any] | None = {"limit": 1000}
    while parameters:
        page = _ask(where, tenant, "GET", paths.SUBSCRIPTIONS, params=parameters).json()
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
    """Print one subscription, or who changed it.

    \b
    events subscriptions show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events subscriptions show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --changes
    """
    from cli.subscription_tables import changes_table

    path = f"{paths.SUBSCRIPTIONS}/{_quoted(subscription_id)}" + ("/changes" if changes else "")
    found = _ask(endpoints(home, port_base), tenant, "GET", path).json()
    show(found, as_json, lambda: changes_table(found["items"]) if changes else None)


@app.command()
def create(
    file: FileArgument,
    key: Annotated[
        str, typer.Option("--key", help="Idempotency-Key: a repeat creates nothing.")
    ] = "",
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Create a subscription from a file: name, filter, destination; description, labels, enabled.

    \b
    events subscriptions create faults.json
    echo '{"name": "faults", "filter": {"event_type": ["FAULT"]}, "destination": {"type": "sqs",
      "arn": "arn:aws:sqs:eu-west-1:000000000000:faults"}}' | events subscriptions create - --key faults
    """
    body, where = _read(file), endpoints(home, port_base)
    headers = {"Idempotency-Key": key} if key else {}
    answer = _ask(where, tenant, "POST", paths.SUBSCRIPTIONS, content=body, headers=headers).json()
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
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Change members of a subscription; what somebody else changes meanwhile is not overwritten.

    \b
    events subscriptions edit 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --disable
    echo '{"labels": {"team": "orders"}, "filter": {"entity_id": null}}' |
      events subscriptions edit 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b -
    """
    patch = _read(file) if file else b"{}"
    if enable is not None:
        patch = json.dumps(json.loads(patch) | {"enabled": enable}).encode()
    elif not file:
        fail("Nothing to change: name a patch, --enable or --disable.")
    where, path = endpoints(home, port_base), f"{paths.SUBSCRIPTIONS}/{_quoted(subscription_id)}"
    seen = _ask(where, tenant, "GET", path).headers["ETag"]
    headers = MERGE_PATCH | {"If-Match": seen}
    answer = _ask(where, tenant, "PATCH", path, content=patch, headers=headers).json()
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
    _ask(where, tenant, "DELETE", f"{paths.SUBSCRIPTIONS}/{_quoted(subscription_id)}")


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

    document = json.loads(_read(file))
    body = {"filter": document.get("filter", document), "from": from_, "to": to}
    given = json.dumps({name: member for name, member in body.items() if member != ""})
    where = endpoints(home, port_base)
    answer = _ask(where, tenant, "POST", paths.BACK_TEST, content=given).json()
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

    where, path = endpoints(home, port_base), f"{paths.EVENTS}/{_quoted(event_id)}/explain"
    answer = _ask(where, tenant, "GET", path).json()
    show(answer, as_json, lambda: explained_table(answer))

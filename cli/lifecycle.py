"""`events subscriptions enable` and `disable`: what it missed meanwhile is sent, or left out."""

import json
from typing import Annotated, Any

import typer

from cli.answers import fail
from cli.endpoints import Endpoints, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.subscription_requests import MERGE_PATCH, IdArgument, JsonOption, ask, path_of
from cli.subscription_tables import show, table_of

CatchUpOption = Annotated[
    bool,
    typer.Option(
        "--catch-up/--skip", help="Send what waited and was received meanwhile, or leave it out."
    ),
]


def disable(
    subscription_id: IdArgument,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send it nothing from now on. It keeps its position: what waits, and what comes, waits for `enable`.

    \b
    events subscriptions disable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    """
    where = endpoints(home, port_base)
    answer = _set(where, tenant, subscription_id, enabled=False)
    show(answer, as_json, lambda: table_of([answer]))


def enable(
    subscription_id: IdArgument,
    catch_up: CatchUpOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send it events again, after it was disabled or paused: from its position on, or what comes from now on.

    With --catch-up in the order of the log, so for as long as Kafka keeps events; `show` says how far it is.

    \b
    events subscriptions enable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --catch-up
    events subscriptions enable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --skip
    """
    where = endpoints(home, port_base)
    found = ask(where, tenant, "GET", path_of(subscription_id)).json()
    if catch_up and not _is_stopped(found):
        fail(
            "It is not stopped, so there is nothing that it missed. See: events subscriptions replay"
        )
    missed = "catch_up" if catch_up else "skip"
    answer = _set(where, tenant, subscription_id, enabled=True, missed=missed)
    show(answer, as_json, lambda: table_of([answer]))


def _set(
    where: Endpoints, tenant: str, subscription_id: str, *, enabled: bool, **query: str
) -> dict[str, Any]:
    """The subscription as it is then; whatever else is changed meanwhile, a pause too, is no matter."""
    path, content = path_of(subscription_id), json.dumps({"enabled": enabled})
    answer = ask(where, tenant, "PATCH", path, content=content, headers=MERGE_PATCH, params=query)
    found: dict[str, Any] = answer.json()
    return found


def _is_stopped(subscription: dict[str, Any]) -> bool:
    return "paused" in subscription or not subscription.get("enabled", True)

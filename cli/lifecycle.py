"""`events subscriptions enable` and `disable`: what it missed meanwhile is sent, or left out.

To catch up is two calls, as any client can make them: PATCH, then a replay from when it was disabled, or
from the oldest event that waited when it was paused, up to when it was enabled.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer

from cli.answers import fail
from cli.endpoints import Endpoints, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.send_again import DetachOption, RateOption, Wanted, send_again
from cli.subscription_requests import MERGE_PATCH, IdArgument, JsonOption, ask, path_of
from cli.subscription_tables import show, table_of

OVERLAP = timedelta(seconds=1)
"""What was received just before it was disabled may not have been sent by then."""

CatchUpOption = Annotated[
    bool,
    typer.Option("--catch-up/--skip", help="Send what was received meanwhile, or leave it out."),
]


def disable(
    subscription_id: IdArgument,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send it nothing from now on; what still waits is cancelled.

    \b
    events subscriptions disable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    """
    where = endpoints(home, port_base)
    seen = ask(where, tenant, "GET", path_of(subscription_id)).headers["ETag"]
    answer, _ = _set(where, tenant, subscription_id, seen, enabled=False)
    show(answer, as_json, lambda: table_of([answer]))


def enable(
    subscription_id: IdArgument,
    catch_up: CatchUpOption = False,
    messages_per_s: RateOption = None,
    detach: DetachOption = False,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send it events again, after it was disabled or paused; with --catch-up those that it missed, too.

    Waits then until they are sent. What the queue took before it was disabled may come twice, of a second.

    \b
    events subscriptions enable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --catch-up
    events subscriptions enable 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --skip
    """
    where, path = endpoints(home, port_base), path_of(subscription_id)
    found = ask(where, tenant, "GET", path)
    missed_from = ""
    if catch_up:
        changes = ask(where, tenant, "GET", f"{path}/changes").json()["items"]
        missed_from = stopped_at(found.json(), changes)
        if not missed_from:
            fail("Nothing says since when it got nothing. Replay: events subscriptions replay")
    answer, missed_to = _set(where, tenant, subscription_id, found.headers["ETag"], enabled=True)
    if not catch_up:
        show(answer, as_json, lambda: table_of([answer]))
        return
    typer.secho(
        f"Enabled. What it missed was received from {missed_from} to {missed_to}.", err=True
    )
    body: dict[str, Any] = {"from": missed_from, "to": missed_to}
    if messages_per_s is not None:
        body["messages_per_s"] = messages_per_s
    send_again(
        where, tenant, f"{path}/replay", body, Wanted(dry_run=False, yes=True, detach=detach)
    )


def _set(
    where: Endpoints, tenant: str, subscription_id: str, seen: str, *, enabled: bool
) -> tuple[dict[str, Any], str]:
    """The subscription as it is then, and a time by which that holds for whatever is received."""
    path, headers = path_of(subscription_id), MERGE_PATCH | {"If-Match": seen}
    content = json.dumps({"enabled": enabled})
    answer = ask(where, tenant, "PATCH", path, content=content, headers=headers)
    made = ask(where, tenant, "GET", f"{path}/changes").json()["items"][0]["at"]
    return answer.json(), _moved(made, answer.elapsed)


def stopped_at(subscription: dict[str, Any], changes: Sequence[dict[str, Any]]) -> str:
    """From when on it missed events, by itself or by `changes`, newest first; empty if nothing says so."""
    if "paused" in subscription:
        return str(subscription["paused"]["missed_from"])
    if subscription.get("enabled", True):
        return ""
    for each in changes:
        if (each["after"] or {}).get("enabled") is False:
            paused = (each["before"] or {}).get("paused")  # and then somebody disabled it
            return str(paused["missed_from"]) if paused else _moved(each["at"], -OVERLAP)
    return ""


def _moved(time: str, by: timedelta) -> str:
    """RFC 3339 in UTC, to the millisecond above."""
    moved = datetime.fromisoformat(time) + by + timedelta(microseconds=999)
    return moved.isoformat(timespec="milliseconds").replace("+00:00", "Z")

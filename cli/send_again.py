"""`events deliveries redrive` and `events subscriptions replay`: count first, ask, then watch the job.

Ctrl-C ends the watching alone: the job is the routers'.
"""

import json
import time
import uuid
from typing import Annotated, Any, NamedTuple

import typer

from cli.answers import complain, fail, show_json
from cli.endpoints import Endpoints, endpoints
from cli.options import HOME, PORT_BASE, TENANT, HomeOption, PortBaseOption, TenantOption
from cli.subscription_requests import IdArgument, ask, path_of, read_object
from cli.subscription_tables import show
from cli.terminal import is_shown
from contracts import paths

POLL_S = 0.5
INTERRUPTED = 130  # 128 and SIGINT, as shells count


class Wanted(NamedTuple):
    """Count alone; do not ask; do not wait."""

    dry_run: bool
    yes: bool
    detach: bool


FilterOption = Annotated[
    str, typer.Option("--filter", metavar="FILE", help="Only events that this pattern accepts.")
]
RateOption = Annotated[
    int | None, typer.Option(min=1, max=10_000, help="Most messages a second.", show_default=False)
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Count and show some; send nothing.")]
DetachOption = Annotated[
    bool, typer.Option("--detach", help="Print the job, and do not wait for its end.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def redrive(
    subscription: Annotated[
        str, typer.Option("--subscription", metavar="ID", help="Whose dead letters.")
    ],
    code: Annotated[
        list[str] | None, typer.Option("--code", help="With this error code; may come again.")
    ] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="ID", help="Of this event, again.")
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="Given up then or later (RFC 3339).")] = "",
    to: Annotated[str, typer.Option("--to", help="Given up before (RFC 3339).")] = "",
    filter_: FilterOption = "",
    messages_per_s: RateOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    detach: DetachOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send what is dead again, and wait until that is done. Counts by error code, and asks first.

    \b
    events deliveries redrive --subscription 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --dry-run
    events deliveries redrive --subscription 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --code AccessDenied
    """
    body = _given(
        codes=code, event_ids=event, to=to, filter=_pattern(filter_), messages_per_s=messages_per_s
    ) | _given(**{"from": from_})
    where = endpoints(home, port_base)
    send_again(
        where, tenant, f"{path_of(subscription)}/redrive", body, Wanted(dry_run, yes, detach)
    )


def replay(
    subscription_id: IdArgument,
    from_: Annotated[str, typer.Option("--from", help="Received then or later (RFC 3339).")],
    to: Annotated[str, typer.Option("--to", help="Received before (RFC 3339).")],
    filter_: FilterOption = "",
    all_: Annotated[
        bool, typer.Option("--all", help="Also what the subscription's own filter does not accept.")
    ] = False,
    messages_per_s: RateOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    detach: DetachOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Send events of a range of time again, delivered or not, and wait until that is done.

    Counts by day, and asks first. A hundred a second unless told otherwise.

    \b
    events subscriptions replay 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --from 2026-01-31T12:00:00Z \\
      --to 2026-01-31T13:00:00Z --dry-run
    """
    body = _given(
        to=to, filter=_pattern(filter_), all=all_ or None, messages_per_s=messages_per_s
    ) | _given(**{"from": from_})
    where = endpoints(home, port_base)
    send_again(
        where, tenant, f"{path_of(subscription_id)}/replay", body, Wanted(dry_run, yes, detach)
    )


def _given(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, "", [])}


def _pattern(file: str) -> dict[str, Any] | None:
    """The filter in the file, or its member `filter`."""
    if not file:
        return None
    document: dict[str, Any] = json.loads(read_object(file))
    found: dict[str, Any] = document.get("filter", document)
    return found


def send_again(where: Endpoints, tenant: str, path: str, body: dict[str, Any], how: Wanted) -> None:
    """Count what `body` asks for, ask a person unless told not to, and watch the job."""
    from cli.job_tables import job_lines, preview_lines

    counted = ask(where, tenant, "POST", path, json=body | {"dry_run": True}).json()
    if is_shown():
        from rich.console import Console

        Console().print(preview_lines(counted), highlight=False)
    if how.dry_run or not counted["count"]:
        if not is_shown():
            show_json(json.dumps(counted, ensure_ascii=False))
        return
    if not how.yes:
        typer.confirm(f"Send {counted['count']:,} again?", abort=True, err=True)
    once = {"Idempotency-Key": str(uuid.uuid4())}
    job = ask(where, tenant, "POST", path, json=body, headers=once).json()
    if "id" not in job:  # somebody was faster
        complain("Nothing is left to send again.")
        return
    if how.detach:
        show(job, False, lambda: job_lines(job))
    else:
        watch(where, tenant, job)


def watch(where: Endpoints, tenant: str, job: dict[str, Any]) -> None:
    """Show how far it is until it has ended, and print it then. Exit 1 unless all of it was sent."""
    from cli.job_bar import JobBar

    path = paths.JOB.format(id=job["id"])
    try:
        with JobBar(job) as bar:
            while job["state"] not in ("done", "cancelled"):
                time.sleep(POLL_S)
                job = ask(where, tenant, "GET", path).json()
                bar.show(job)
    except KeyboardInterrupt:
        complain(
            f"The job goes on. Look: events jobs show {job['id']} --follow. End it: events jobs cancel"
            f" {job['id']}"
        )
        raise typer.Exit(INTERRUPTED) from None
    if not is_shown():
        show_json(json.dumps(job, ensure_ascii=False))
    told = f"{job['sent']:,} sent, {job['dead']:,} given up again, {job['missing']:,} missing"
    if job["state"] == "cancelled":
        fail(f"Cancelled: {told}. {job['reason']}".rstrip())
    if job["dead"] or job["missing"]:
        fail(f"Done: {told}. Why: events deliveries dead --subscription {job['subscription_id']}")
    typer.secho(f"Done: {told}.", err=True)
    if job["beyond"]:
        typer.secho(f"{job['beyond']:,} more had no room in it: run this again.", err=True)

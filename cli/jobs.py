"""`events jobs`: redrives and replays; how far they are; pause, go on, end."""

import json
from itertools import islice
from typing import Annotated, Any

import typer

from cli.endpoints import endpoints
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
from cli.send_again import watch
from cli.subscription_requests import ask, quoted
from cli.subscription_tables import show
from cli.terminal import is_shown
from contracts import paths

app = typer.Typer(
    name="jobs",
    no_args_is_help=True,
    help="Redrives and replays: list, look, pause, go on, end.",
)
JobArgument = Annotated[str, typer.Argument(metavar="ID", help="The job's id.")]


@app.command("list")
def list_(
    subscription: Annotated[
        str, typer.Option("--subscription", metavar="ID", help="Only those of this subscription.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="Stop after so many.")] = 50,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print jobs, newest first. Piped, one JSON text a line.

    \b
    events jobs list
    events jobs list | jq -r 'select(.state == "running").id'
    """
    where = endpoints(home, port_base)
    criteria = {"subscription_id": subscription} if subscription else {}
    jobs = list(islice(pages_of(where, tenant, paths.JOBS, "jobs", criteria), limit))
    if is_shown() and not as_json:
        from rich.console import Console

        from cli.job_tables import jobs_table

        Console().print(jobs_table(jobs), highlight=False)
        return
    for each in jobs:
        typer.echo(json.dumps(each, ensure_ascii=False, separators=(",", ":")))


@app.command("show")
def show_(
    job_id: JobArgument,
    follow: Annotated[bool, typer.Option("--follow", help="Until it has ended.")] = False,
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Print one job: what was asked, how far it is, by partition.

    \b
    events jobs show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b
    events jobs show 0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b --follow
    """
    where = endpoints(home, port_base)
    job = ask(where, tenant, "GET", f"{paths.JOBS}/{quoted(job_id)}").json()
    if follow:
        watch(where, tenant, job)
    else:
        _print(job, as_json)


def _print(job: dict[str, Any], as_json: bool) -> None:
    from cli.job_tables import job_lines

    show(job, as_json, lambda: job_lines(job))


def _changing(name: str, help_: str) -> None:
    """Add the command `name`, which posts to .../NAME."""

    @app.command(name, help=help_)
    def change(
        job_id: JobArgument,
        as_json: JsonOption = False,
        tenant: TenantOption = TENANT,
        home: HomeOption = HOME,
        port_base: PortBaseOption = PORT_BASE,
    ) -> None:
        path = f"{paths.JOBS}/{quoted(job_id)}/{name}"
        _print(ask(endpoints(home, port_base), tenant, "POST", path).json(), as_json)


_changing("pause", "Send no more of it until it is resumed; what is under way comes to its end.")
_changing("resume", "Go on where it was.")
_changing("cancel", "End it: what was not sent stays as it was.")

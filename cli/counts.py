"""`events counts`: how many events there are, by time and field."""

import json
from typing import Annotated

import typer

from cli.endpoints import endpoints
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
from cli.subscription_requests import ask
from cli.terminal import is_shown
from contracts import paths


def counts(
    criteria: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE", help="Parameters of the search.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", help="event_type, event_source, operation, status or fault.")
    ] = "",
    interval: Annotated[
        str, typer.Option("--interval", help="auto, minute, hour or day.")
    ] = "auto",
    as_json: JsonOption = False,
    tenant: TenantOption = TENANT,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """Count events by time, of the last days unless told; piped, a JSON line for each interval and value.

    \b
    events counts --by fault from=2026-01-31T12:00:00Z
    events counts --by event_source --interval hour event_type=FAULT | jq -r '[.start, .count] | @tsv'
    """
    parameters = dict(read_pairs(criteria or [])) | {"interval": interval}
    if by:
        parameters["by"] = by
    found = ask(endpoints(home, port_base), tenant, "GET", paths.COUNTS, params=parameters).json()
    if as_json or not is_shown():
        for series in found["series"]:
            for start, count in zip(found["starts"], series["buckets"], strict=True):
                if count:
                    line = {"start": start, "value": series["value"], "count": count}
                    typer.echo(json.dumps(line, ensure_ascii=False, separators=(",", ":")))
        return
    from rich.console import Console

    from cli.fault_tables import counts_table

    Console().print(counts_table(found), highlight=False)
    typer.secho(f"{found['count']:,} events from {found['from']} to {found['to']}", err=True)

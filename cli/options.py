"""The options that every subcommand understands."""

from pathlib import Path
from typing import Annotated

import typer

from local.stack import PORT_BASE as FIRST_PORT
from local.stack import Ports

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="EVENTS_HOME",
        file_okay=False,
        help="Folder that holds the stack's state.",
    ),
]
PortBaseOption = Annotated[
    int | None,
    typer.Option(
        "--port-base",
        envvar="EVENTS_PORT_BASE",
        min=1024,
        max=65000,
        show_default=str(FIRST_PORT),
        help=f"First of {len(Ports().by_name)} consecutive ports.",
    ),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", envvar="EVENTS_TENANT", help="The tenant to act for.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="JSON on a terminal too, as it is when piped.")
]

HOME = Path(".events")
PORT_BASE: int | None = None
"""None says that nobody chose: a running stack's own, else local.stack.PORT_BASE."""
TENANT = "acme"

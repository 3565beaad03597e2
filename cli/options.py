"""The options that every subcommand understands."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[
    Path, typer.Option("--home", envvar="EVENTS_HOME", help="Folder that holds the stack's state.")
]
PortBaseOption = Annotated[
    int,
    typer.Option(
        "--port-base",
        envvar="EVENTS_PORT_BASE",
        min=1024,
        max=65000,
        help="First of six consecutive ports.",
    ),
]
TenantOption = Annotated[
    str, typer.Option("--tenant", envvar="EVENTS_TENANT", help="The tenant to act for.")
]

HOME = Path(".events")
PORT_BASE = 8800
TENANT = "acme"

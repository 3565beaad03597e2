"""`events settings`: every setting of every service, from the models themselves."""

from itertools import chain
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

COLUMNS = ("variable", "default", "read by", "meaning")


def settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As the table in docs/reference/settings.md.")
    ] = False,
    home: HomeOption = HOME,
    port_base: PortBaseOption = PORT_BASE,
) -> None:
    """List the environment variables that configure the services."""
    if markdown:
        typer.echo(as_markdown())
        return
    table = Table(*COLUMNS)
    for row in rows():
        table.add_row(*row)
    Console().print(table)


def rows() -> list[tuple[str, str, str, str]]:
    """Variable, default, services that read it, meaning; in the order of the models."""
    from service.settings import models, variables

    found: dict[str, tuple[dict[str, list[str]], str]] = {}
    for service, model in models().items():
        for name, default, meaning, _ in variables(model):
            defaults, _ = found.setdefault(name, ({}, meaning))
            defaults.setdefault(_shown(default), []).append(service)
    return [
        (variable, _by_reader(defaults), ", ".join(chain(*defaults.values())), meaning)
        for variable, (defaults, meaning) in found.items()
    ]


def _by_reader(defaults: dict[str, list[str]]) -> str:
    """The default, or each with the services whose it is."""
    if len(defaults) == 1:
        return next(iter(defaults))
    return ", ".join(f"{default} ({', '.join(by)})" for default, by in defaults.items())


def as_markdown() -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {default} | {by} | {text} |" for name, default, by, text in rows()]
    return "\n".join(lines)


def _shown(default: Any) -> str:
    from pydantic_core import PydanticUndefined

    from service.settings import shown

    if default is PydanticUndefined:
        return "(required)"
    return f"`{text}`" if (text := shown(default)) else ""

"""`events settings`: every setting of every service, from the models themselves."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.options import HOME, PORT_BASE, HomeOption, PortBaseOption

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_settings import BaseSettings

COLUMNS = ("variable", "default", "read by", "meaning")


def settings(
    markdown: Annotated[
        bool, typer.Option("--markdown", help="As the table in the README.")
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
    from ingest.settings import IngestSettings
    from processors.settings import MaterializeSettings, RouteSettings, SetupSettings
    from query.settings import QuerySettings

    services: dict[str, type[BaseSettings]] = {
        "ingest": IngestSettings,
        "query": QuerySettings,
        "materialize": MaterializeSettings,
        "route": RouteSettings,
        "setup": SetupSettings,
    }
    found: dict[str, tuple[set[str], list[str], str]] = {}
    for service, model in services.items():
        for variable, default, meaning in _fields(model, "EVENTS_"):
            defaults, readers, _ = found.setdefault(variable, (set(), [], meaning))
            defaults.add(default)
            readers.append(service)
    return [
        (variable, " / ".join(sorted(defaults)), ", ".join(readers), meaning)
        for variable, (defaults, readers, meaning) in found.items()
    ]


def as_markdown() -> str:
    """The rows as a Markdown table."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {default} | {by} | {text} |" for name, default, by, text in rows()]
    return "\n".join(lines)


def _fields(model: "type[BaseModel]", prefix: str) -> list[tuple[str, str, str]]:
    from pydantic import BaseModel

    found: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        variable = prefix + name.upper()
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += _fields(kind, variable + "__")
        else:
            found.append(
                (
                    variable,
                    _shown(field.get_default(call_default_factory=True)),
                    field.description or "",
                )
            )
    return found


def _shown(default: Any) -> str:
    from pydantic import SecretStr
    from pydantic_core import PydanticUndefined

    if default is PydanticUndefined:
        return "(required)"
    if default is None or default == "" or isinstance(default, SecretStr):
        return ""
    if isinstance(default, tuple):
        return f"`{list(default)}`".replace("'", '"')
    return f"`{default}`"

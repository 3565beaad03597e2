"""Kafka and ClickHouse for commands that work on them: the environment's, else the local stack's."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.answers import complain
from cli.endpoints import Endpoints, endpoints
from service.settings import BadSettings, load

if TYPE_CHECKING:
    from processors.settings import SetupSettings
    from processors.upkeep.operator import Operator


def operator(settings: Callable[[], "SetupSettings"]) -> "Operator":
    """A person at a terminal."""
    from cli.offsets_bar import OffsetsBar
    from processors.upkeep.operator import Operator

    def ask(question: str) -> None:
        typer.confirm(question, abort=True)

    return Operator(settings, complain, ask, OffsetsBar)


def servers(home: Path, port_base: int | None) -> "SetupSettings":
    """The environment's settings as `setup` reads them; an address not given is the local stack's.

    Raises `BadSettings`.
    """
    settings = clickhouse_server(home, port_base)
    if "bootstrap_servers" in settings.kafka.model_fields_set:
        return settings
    address = {"bootstrap_servers": _local(home, port_base).kafka}
    return settings.model_copy(update={"kafka": settings.kafka.model_copy(update=address)})


def clickhouse_server(home: Path, port_base: int | None) -> "SetupSettings":
    """The same, for who needs ClickHouse alone. Raises `BadSettings`."""
    settings = setup_settings()
    if "url" in settings.clickhouse.model_fields_set:
        return settings
    url = {"url": _local(home, port_base).clickhouse}
    return settings.model_copy(update={"clickhouse": settings.clickhouse.model_copy(update=url)})


def setup_settings() -> "SetupSettings":
    """The environment's settings as `setup` reads them. Raises `BadSettings`."""
    from processors.settings import SetupSettings

    return load(SetupSettings)


def _local(home: Path, port_base: int | None) -> Endpoints:
    try:
        return endpoints(home, port_base)
    except typer.Exit:  # it has said why; its exit code would say that something is missing
        raise BadSettings([f"The local stack in {home} is not known."]) from None

"""Kafka and ClickHouse for commands that work on them: the environment's, else the local stack's."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from cli.endpoints import Endpoints, endpoints
from service.settings import BadSettings, load

if TYPE_CHECKING:
    from processors.settings import SetupSettings
    from service.connections import ClickHouseConnection, KafkaConnection


class Servers(NamedTuple):
    """How both are reached."""

    kafka: "KafkaConnection"
    clickhouse: "ClickHouseConnection"
    cluster: str


def servers(home: Path, port_base: int | None) -> Servers:
    """EVENTS_KAFKA__..., EVENTS_CLICKHOUSE__... and the cluster as `setup` reads them.

    Raises `BadSettings`.

    An address that is not there is that of the stack in `home`.
    """
    settings = setup_settings()
    kafka, clickhouse = settings.kafka, settings.clickhouse
    if "bootstrap_servers" not in kafka.model_fields_set:
        address = _local(home, port_base).kafka
        kafka = kafka.model_copy(update={"bootstrap_servers": address})
    if "url" not in clickhouse.model_fields_set:
        url = _local(home, port_base).clickhouse
        clickhouse = clickhouse.model_copy(update={"url": url})
    return Servers(kafka, clickhouse, settings.tables.cluster)


def setup_settings() -> "SetupSettings":
    """The environment's settings as `setup` reads them. Raises `BadSettings`."""
    from processors.settings import SetupSettings

    return load(SetupSettings)


def _local(home: Path, port_base: int | None) -> Endpoints:
    try:
        return endpoints(home, port_base)
    except typer.Exit:  # it has said why; its exit code would say that something is missing
        raise BadSettings(f"The local stack in {home} is not known.") from None

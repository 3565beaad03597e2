"""The edge that is attacked, one for each module."""

from collections.abc import Iterator

import pytest

from local.stack import Ports, environment
from tests.attacks.table import Door
from tests.processes import free_port, running_module
from tests.stack import Stack

GENEROUS = {
    "EVENTS_TENANT_RATE__EVENTS_PER_S": "1000000000",
    "EVENTS_TENANT_RATE__BYTES_PER_S": "1000000000000",
}
"""A tenant's rate is no protection of others against what costs more than it pays for."""


@pytest.fixture(scope="module")
def door(stack: Stack) -> Iterator[Door]:
    """An edge with the settings that it comes with, but for the rates."""
    port = free_port()
    variables = environment(Ports(stack.port_base)) | GENEROUS | {"EVENTS_HTTP__PORT": str(port)}
    ready = f"http://127.0.0.1:{port}/readyz"
    with running_module("ingest", ready=ready, environment=variables) as process:
        yield Door(stack, port, process.pid)

"""An edge of a test's own, with settings of its own."""

import contextlib
from collections.abc import Iterator

from local.stack import Ports, environment
from tests.processes import free_port, running_module
from tests.stack import Stack


@contextlib.contextmanager
def edge(stack: Stack, **settings: str) -> Iterator[tuple[int, int]]:
    """An edge of its own beside the stack: its port and process id."""
    port = free_port()
    variables = environment(Ports(stack.port_base)) | {"EVENTS_HTTP__PORT": str(port)}
    variables |= {f"EVENTS_{name}": value for name, value in settings.items()}
    ready = f"http://127.0.0.1:{port}/readyz"
    with running_module("ingest", ready=ready, environment=variables) as process:
        yield port, process.pid

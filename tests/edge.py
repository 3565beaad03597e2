"""An edge of a test's own, with settings of its own."""

import contextlib
from collections.abc import Iterator

import httpx

from local.stack import Ports, environment
from tests.processes import free_port, running_module
from tests.stack import Stack


@contextlib.contextmanager
def edge(stack: Stack, module: str = "ingest", **settings: str) -> Iterator[tuple[int, int]]:
    """An edge of its own beside the stack, or another service: its port and process id."""
    port = free_port()
    variables = environment(Ports(stack.port_base)) | {"EVENTS_HTTP__PORT": str(port)}
    variables |= {f"EVENTS_{name}": value for name, value in settings.items()}
    ready = f"http://127.0.0.1:{port}/readyz"
    with running_module(module, ready=ready, environment=variables) as process:
        yield port, process.pid


@contextlib.contextmanager
def impatient(stack: Stack, tenant: str, module: str = "ingest") -> Iterator[httpx.Client]:
    """A client of a service that waits three seconds for Kafka, not ten."""
    waits = {"ACK_TIMEOUT_S": "3", "KAFKA__REQUEST_TIMEOUT_S": "3"}
    with edge(stack, module, **waits) as (port, _):
        api, headers = f"http://127.0.0.1:{port}", stack.headers(tenant)
        with httpx.Client(base_url=api, headers=headers, timeout=30) as client:
            yield client

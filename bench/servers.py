"""Servers for a measurement, in a folder of their own, with or without the services."""

import contextlib
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import psutil

from cli.endpoints import Endpoints, endpoints
from local import stack
from local.stack import Ports, environment

START_TIMEOUT_S = 180
NO_LIMITS = {
    "EVENTS_TENANT_RATE__EVENTS_PER_S": "1000000000",
    "EVENTS_TENANT_RATE__BYTES_PER_S": "1000000000000",
}
"""A measurement posts as one tenant."""


def free_port_base() -> int:
    """The first of twenty consecutive ports on loopback that are free now.

    Tried in random order, so that two runs side by side do not choose the same; below the range
    from which systems take the ports of outgoing connections, and below that of tests/processes.py.
    """
    for base in random.sample(range(12_000, 22_000, 20), 200):
        with contextlib.ExitStack() as stack:
            try:
                for port in range(base, base + 20):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return base
    raise RuntimeError("no ten free ports in a row on loopback")


@contextlib.contextmanager
def servers(
    kept: Path | None = None,
) -> Iterator[tuple[Endpoints, Ports, dict[str, psutil.Process]]]:
    """Kafka, ClickHouse and the issuer with topics and tables, and no service of ours.

    What they store stays in the folder `kept`, if one is given. Yields where they are and their
    processes by name.
    """
    with (
        tempfile.TemporaryDirectory(prefix="events-bench-") as folder,
        contextlib.ExitStack() as up,
    ):
        home, ports = kept or Path(folder), Ports(free_port_base())
        settings = environment(ports)
        children: dict[str, subprocess.Popen[bytes]] = {}
        for spec in stack.servers(home, ports):
            if spec.name != "sqs":
                child = subprocess.Popen(
                    spec.argv, env=settings, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
                )
                children[spec.name] = up.enter_context(child)
                up.callback(child.terminate)
        subprocess.run(stack.setup().argv, env=settings, check=True, stderr=subprocess.DEVNULL)
        where = Endpoints(home, *(ports.url(n) for n in ("api", "clickhouse", "kafka", "issuer")))
        yield where, ports, {name: psutil.Process(child.pid) for name, child in children.items()}


@contextlib.contextmanager
def whole_stack() -> Iterator[Endpoints]:
    """All that `events up` runs, with the settings that it has."""
    with tempfile.TemporaryDirectory(prefix="events-bench-") as folder:
        home, base = Path(folder), free_port_base()
        command = [sys.executable, "-m", "cli"]
        more = ["--home", folder, "--port-base", str(base)]
        subprocess.run([*command, "up", "--detach", *more], check=True, capture_output=True)
        try:
            yield endpoints(home, base)
        finally:
            subprocess.run([*command, "down", *more], check=True, capture_output=True)


@contextlib.contextmanager
def process(
    argv: list[str], ports: Ports, port: int, ready: str, more: Mapping[str, str] = NO_LIMITS
) -> Iterator[psutil.Process]:
    """A process of this project with the stack's settings and `more`, listening on `port`."""
    settings = environment(ports) | {"EVENTS_HTTP__PORT": str(port), **more}
    with subprocess.Popen(
        [sys.executable, *argv], env=settings, stderr=subprocess.DEVNULL
    ) as child:
        try:
            _wait(f"http://127.0.0.1:{port}{ready}")
            yield psutil.Process(child.pid)
        finally:
            child.terminate()
            child.wait(30)


def _wait(url: str) -> None:
    give_up = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code < 300:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer in {START_TIMEOUT_S} s")


def sql(where: Endpoints, query: str) -> bytes:
    """The raw answer of the server under measurement."""
    return httpx.post(where.clickhouse, content=query, timeout=120).raise_for_status().content


def cpu_s(process: psutil.Process) -> float:
    """User and system CPU seconds that the process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


DATA = Path(os.environ.get("EVENTS_BENCH_DATA", "../shared/data/retail-events.ndjson"))

"""Real processes for tests: started on free ports, waited for with a deadline, ended by their id."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import httpx
import uvicorn
from starlette.types import ASGIApp

from tests import forked

Process: TypeAlias = "subprocess.Popen[bytes] | forked.Forked"
FORKED = ("ingest", "query", "console", "processors", "local.issuer", "tests.console.open")
"""What is forked by a process that has imported it. The engine of ClickHouse is not: it has threads."""
START_TIMEOUT_S = 180.0
"""For any server: on a busy machine Kafka took more than 60 s."""
STOP_TIMEOUT_S = 15.0
PAUSE_S = 0.05
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_FIRST_PORT = 22_000 + 1_250 * _WORKER
_LAST_PORT = _FIRST_PORT + 1_250
_PORTS = iter(range(_FIRST_PORT + os.getpid() % 20 * 25, _LAST_PORT))


def free_port(count: int = 1) -> int:
    """The first of `count` consecutive ports on 127.0.0.1 that are given to nobody else.

    Each worker has ports of its own and gives none twice: some are listened on minutes after they were
    asked for. They lie below the range from which systems take the ports of outgoing connections.
    """
    while (first := next(_PORTS)) + count <= _LAST_PORT:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError):
            for port in range(first, first + count):
                probes.enter_context(socket.create_server(("127.0.0.1", port)))
            for _ in range(count - 1):
                next(_PORTS)
            return first
    raise AssertionError(f"no {count} free ports in a row are left of those of this worker")


def wait_until(condition: Callable[[], object], what: str, timeout_s: float) -> None:
    """Poll `condition` until it holds; fails with `what` at the deadline."""
    give_up = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up, f"not within {timeout_s} s: {what}"
        threading.Event().wait(PAUSE_S)


def is_ready(address: str) -> bool:
    """Whether a URL answers 200, or a host:port accepts a connection."""
    try:
        if address.startswith("http"):
            return httpx.get(address, timeout=5).status_code == httpx.codes.OK
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, httpx.TransportError):
        return False
    return True


@contextlib.contextmanager
def running_module(
    module: str,
    *arguments: str,
    ready: str,
    environment: dict[str, str] | None = None,
    output: Path | None = None,
) -> Iterator[Process]:
    """`python -m module arguments`, from when `ready` (URL or host:port) answers until the end."""
    with tempfile.TemporaryDirectory(prefix="events-") as folder:
        printed = output or Path(folder, "printed")
        process = _start(module, arguments, environment, printed)

        def answers() -> bool:
            code = process.poll()
            assert code is None, f"{module} ended with {code}: {printed.read_text()[-2000:]}"
            return is_ready(ready)

        with ended(process):
            wait_until(answers, f"{module} answers", START_TIMEOUT_S)
            yield process


def _start(
    module: str, arguments: Sequence[str], environment: dict[str, str] | None, printed: Path
) -> Process:
    if module in FORKED:
        return forked.start(module, arguments, environment, printed)
    argv = [sys.executable, "-m", module, *arguments]
    with printed.open("ab") as log:
        return subprocess.Popen(argv, env=environment, stdout=log, stderr=log)


@contextlib.contextmanager
def ended(process: Process) -> Iterator[None]:
    """SIGTERM at the end, and SIGKILL when it has had its time."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """`app` on a real uvicorn server in a thread; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STOP_TIMEOUT_S)
        listening.close()

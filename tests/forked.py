"""`python -m tests.forked`: runs `events` commands without the second that Python takes to import them.

Reads lines of JSON (`arguments`, `environment`, `folder` and the paths `stdout` and `stderr`), forks a child
that is the command, and answers each with its exit code when it has ended.
"""

import atexit
import gc
import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import psutil

from cli.main import app

BROUGHT = ("processors.upkeep.commands", "processors.upkeep.deliveries.command")
"""What some commands import when they are run."""


class Commands:
    """A process that forks commands, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._server: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def run(
        self, arguments: list[str], timeout_s: float
    ) -> "subprocess.CompletedProcess[str] | None":
        """Run `events` with these in our environment; None where another thread runs one.

        Raises `subprocess.TimeoutExpired`.
        """
        if not self._lock.acquire(blocking=False):
            return None
        try:
            with tempfile.TemporaryDirectory(prefix="events-") as folder:
                outputs = {name: str(Path(folder, name)) for name in ("stdout", "stderr")}
                code = self._ask({"arguments": arguments} | outputs, timeout_s)
                texts = {name: Path(path).read_text() for name, path in outputs.items()}
            return subprocess.CompletedProcess(["events", *arguments], code, **texts)
        finally:
            self._lock.release()

    def _ask(self, request: dict[str, Any], timeout_s: float) -> int:
        if self._server is None or self._server.poll() is not None:
            argv = [sys.executable, "-m", "tests.forked"]
            pipe = subprocess.PIPE
            self._server = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        request |= {"environment": dict(os.environ), "folder": os.getcwd()}
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        if not select.select([self._server.stdout], [], [], timeout_s)[0]:
            self.close()
            raise subprocess.TimeoutExpired(request["arguments"], timeout_s)
        return int(self._server.stdout.readline())

    def close(self) -> None:
        """End it, and the command that it runs."""
        if self._server is None:
            return
        for each in psutil.Process(self._server.pid).children():
            each.kill()
        self._server.kill()
        with self._server:  # closes the pipes and waits
            self._server = None


def become(request: dict[str, Any]) -> None:
    """Stand as a process that a shell has just started."""
    opened = [(os.devnull, os.O_RDONLY)]
    opened += [(request[name], os.O_WRONLY | os.O_CREAT) for name in ("stdout", "stderr")]
    for standard, (path, flags) in enumerate(opened):
        descriptor = os.open(path, flags)
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])


def main() -> None:
    """Serve requests until the input ends."""
    for name in BROUGHT:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    gc.freeze()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            answers.close()
            become(json.loads(line))
            app(json.loads(line)["arguments"], prog_name="events")  # exits
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()

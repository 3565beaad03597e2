"""`python -m tests.forked`: runs modules of ours without the second that Python takes to import them.

Reads lines of JSON (`module`, `arguments`, `environment`, `folder` and the paths `stdin`, `stdout` and
`stderr`), forks a child that is `python -m module arguments`, and answers with its exit code at its end.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

BROUGHT = (
    *("httpx", "psutil", "prompt_toolkit", "rich.box", "rich.console", "rich.table", "rich.text"),
    *("local.jars", "local.learned", "local.settings", "local.state", "cli.servers", "cli.sender"),
    *("processors.upkeep.commands", "processors.upkeep.deliveries.command"),
    *("processors.upkeep.migrating", "processors.upkeep.operator"),
)
"""What commands import when they are run."""


def run(
    module: str,
    arguments: Sequence[str],
    *,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: str = "",
) -> "subprocess.CompletedProcess[str]":
    """What `python -m module arguments` prints and its exit code; in our environment unless told.

    A process of its own where another thread runs one. Raises `subprocess.TimeoutExpired`.
    """
    environment = dict(environment or os.environ)
    folder = folder or Path.cwd()
    request = {
        "module": module,
        "arguments": [*arguments],
        "environment": environment,
        "folder": str(folder),
    }
    if answer := _SERVER.run(request, stdin, timeout_s):
        return answer
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=environment,
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


class Server:
    """A process that forks others, one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        atexit.register(self.close)

    def run(
        self, request: dict[str, Any], stdin: str, timeout_s: float
    ) -> "subprocess.CompletedProcess[str] | None":
        """None where another thread runs one. Raises `subprocess.TimeoutExpired`."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            with tempfile.TemporaryDirectory(prefix="events-") as folder:
                files = {name: str(Path(folder, name)) for name in ("stdin", "stdout", "stderr")}
                Path(files["stdin"]).write_text(stdin)
                code = self._ask(request | files, timeout_s)
                texts = {name: Path(files[name]).read_text() for name in ("stdout", "stderr")}
            command = [request["module"], *request["arguments"]]
            return subprocess.CompletedProcess(command, code, **texts)
        finally:
            self._lock.release()

    def _ask(self, request: dict[str, Any], timeout_s: float) -> int:
        if self._process is None or self._process.poll() is not None:
            argv = [sys.executable, "-m", "tests.forked"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], timeout_s)[0]:
            self.close()
            raise subprocess.TimeoutExpired(request["arguments"], timeout_s)
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it, and what it runs."""
        if self._process is None:
            return
        for each in psutil.Process(self._process.pid).children():
            each.kill()
        self._process.kill()
        with self._process:  # closes the pipes and waits
            self._process = None


_SERVER = Server()


def bring(module: str) -> None:
    """Import all that it does, not itself: the child runs it as `__main__`."""
    names = [module]
    if hasattr(importlib.import_module(module), "__path__"):
        names = [f"{module}.__main__"]
        importlib.import_module(names[0])
    for name in [*names, *(BROUGHT if module == "cli" else ())]:
        importlib.import_module(name)
    del sys.modules[names[0]]
    gc.freeze()


def become(request: dict[str, Any]) -> None:
    """Stand as a process that a shell has just started, and run to its end."""
    written = os.O_WRONLY | os.O_CREAT
    opened = (("stdin", os.O_RDONLY), ("stdout", written), ("stderr", written))
    for standard, (name, how) in enumerate(opened):
        descriptor = os.open(request[name], how)
        os.dup2(descriptor, standard)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    sys.argv = [request["module"], *request["arguments"]]
    if request["module"] == "cli":  # by the name that it is installed under
        from cli.main import app

        app(request["arguments"], prog_name="events")
    runpy.run_module(request["module"], run_name="__main__", alter_sys=True)
    sys.exit(0)


def main() -> None:
    """Serve requests until the input ends."""
    brought: set[str] = set()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        request = json.loads(line)
        if request["module"] not in brought:
            bring(request["module"])
            brought.add(request["module"])
        child = os.fork()
        if child == 0:
            answers.close()
            become(request)  # exits
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), file=answers, flush=True)


if __name__ == "__main__":
    main()

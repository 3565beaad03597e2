"""Modules of ours run as processes, forked by one that has imported them: see `tests.forkserver`."""

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

START_TIMEOUT_S = 180.0


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
    asked = _request(module, arguments, environment, folder)
    if answer := _SERVER.run(asked, stdin, timeout_s):
        return answer
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=asked["environment"],
        cwd=asked["folder"],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start(
    module: str, arguments: Sequence[str], environment: Mapping[str, str] | None, output: Path
) -> "Forked":
    """`python -m module arguments`, which goes on; what it prints is appended to `output`."""
    files = {"stdin": os.devnull, "stdout": str(output), "stderr": str(output)}
    return _SERVER.start(_request(module, arguments, environment, None) | files)


def _request(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str] | None,
    folder: Path | None,
) -> dict[str, Any]:
    return {
        "module": module,
        "arguments": [*arguments],
        "environment": dict(environment or os.environ),
        "folder": str(folder or Path.cwd()),
    }


class Forked:
    """A process that goes on, with what `subprocess.Popen` has."""

    def __init__(self, pid: int, ended: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, at its end. Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
            self.returncode = int(os.read(self._ended, 16) or -signal.SIGKILL)
            os.close(self._ended)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)


class Server:
    """A process that forks others; of those that are run to their end one at a time."""

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

    def start(self, request: dict[str, Any]) -> Forked:
        """Have one that goes on."""
        with self._lock, tempfile.TemporaryDirectory(prefix="events-") as folder:
            pipe = Path(folder, "ended")
            os.mkfifo(pipe)
            ended = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
            return Forked(self._ask(request | {"ended": str(pipe)}, START_TIMEOUT_S), ended)

    def _ask(self, request: dict[str, Any], timeout_s: float) -> int:
        if self._process is None or self._process.poll() is not None:
            argv = [sys.executable, "-m", "tests.forkserver"]
            pipe = subprocess.PIPE
            # macOS ends a forked process that asks for its proxies, unless its parent began so
            environment = os.environ | {"OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES"}
            self._process = subprocess.Popen(
                argv, env=environment, stdin=pipe, stdout=pipe, text=True
            )
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
        for each in psutil.Process(self._process.pid).children(recursive=True):
            each.kill()
        self._process.kill()
        with self._process:  # closes the pipes and waits
            self._process = None


_SERVER = Server()

"""The whole stack under test: real servers on free ports in a temporary folder."""

import functools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx
import psutil

from bench.servers import free_port_base
from cli.endpoints import endpoints
from local import state
from tests import forked

Value = TypeVar("Value")

DEADLINE_S = 120.0
PAUSE_S, LONGEST_PAUSE_S = 0.05, 0.25


def eventually(
    probe: Callable[[], Value],
    *,
    until: Callable[[Value], bool] = bool,
    within_s: float = DEADLINE_S,
) -> Value:
    """The first value of `probe` that satisfies `until`; fails with the last one after `within_s`.

    It asks less often the longer it lasts: each question costs the servers their share.
    """
    give_up, pause_s = time.monotonic() + within_s, PAUSE_S
    while True:
        value = probe()
        if until(value):
            return value
        if time.monotonic() > give_up:
            raise AssertionError(f"not within {within_s:g} s; the last value was {value!r}")
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, LONGEST_PAUSE_S)


def events(
    *arguments: str, home: Path, timeout_s: float = 420
) -> "subprocess.CompletedProcess[str]":
    """Run the `events` command as a person would, but for the second that Python takes to import it."""
    return forked.run("cli", [*arguments, "--home", str(home)], timeout_s=timeout_s)


@dataclass
class Stack:
    """A running stack: `status` is what `events status --json` printed."""

    home: Path
    port_base: int
    status: dict[str, Any] = field(default_factory=dict)
    shared: bool = False
    """Whether others use it meanwhile: none of its processes may be killed or frozen."""
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> str:
        """The API's URL."""
        return str(self.status["api"])

    def refresh(self) -> dict[str, Any]:
        """Read the status again: what `events status --json` prints, without a process for it."""
        running = state.running(self.home)
        self.status = running.public() if running else {"phase": "stopped", "processes": {}}
        return self.status

    def headers(self, tenant: str = "acme") -> dict[str, str]:
        """What a request of `tenant` carries."""
        if tenant not in self._tokens:
            self._tokens[tenant] = endpoints(self.home, None).token(tenant)
        return {
            "Authorization": f"Bearer {self._tokens[tenant]}",
            "X-TWC-Tenant": tenant,
            "Content-Type": "application/json",
        }

    def client(self, tenant: str = "acme") -> httpx.Client:
        """An HTTP client of the API with the tenant's headers."""
        return httpx.Client(base_url=self.api, headers=self.headers(tenant), timeout=30)

    def sql(self, query: str) -> list[list[Any]]:
        """Rows of a query against the events database."""
        answer = httpx.post(
            self.status["clickhouse"],
            params={"database": "events", "default_format": "JSONCompactEachRow"},
            content=query,
            timeout=30,
        )
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    def counts(self, tenant: str) -> tuple[int, int]:
        """count() and uniqExact(id) of the tenant's rows."""
        rows = self.sql(
            f"SELECT toUInt32(count()), toUInt32(uniqExact(id)) FROM events WHERE tenant = '{tenant}'"
        )
        return rows[0][0], rows[0][1]

    def sqs(self) -> Any:
        """A boto3 client of the local queues."""
        return boto3.client(
            "sqs",
            region_name="eu-west-1",
            endpoint_url=self.status["sqs"],
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def pid(self, name: str) -> int:
        """The process id of `name`."""
        return int(self.refresh()["processes"][name]["pid"])

    def kill(self, name: str, pid: int | None = None) -> None:
        """kill -9, and wait until the supervisor has it running again; at once when `pid` is known."""
        assert not self.shared, "others use it: a test that kills belongs into tests/alone"
        pid = pid or self.pid(name)
        os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: self.refresh()["processes"].get(name, {}),
            until=lambda now: now.get("pid") != pid and now.get("state") == "running",
        )

    def freeze(self, name: str) -> "Frozen":
        """Stop `name` from doing anything, as an outage would, for as long as the context is open."""
        assert not self.shared, "others use it: a test that freezes belongs into tests/alone"
        return Frozen(psutil.Process(self.pid(name)))


class Frozen:
    """A process that is suspended while the context is open."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process

    def __enter__(self) -> None:
        self._process.suspend()
        for thread in self._process.threads():  # each stops when it is next scheduled
            task = Path(f"/proc/{self._process.pid}/task/{thread.id}/stat")
            eventually(functools.partial(_stopped, task))

    def __exit__(self, *error: object) -> None:
        self._process.resume()


def _stopped(task: Path) -> bool:
    """Whether this thread is stopped or gone; without /proc the signal has to do."""
    try:
        return task.read_text().rpartition(")")[2].split()[0] in "Tt"
    except FileNotFoundError:
        return True


def start(home: Path, *settings: str) -> Stack:
    """`events up --detach` on free ports, with `settings` NAME=VALUE; on others when one was taken."""
    told = [each for setting in settings for each in ("--set", setting)]
    for _ in range(3):
        stack = Stack(home, free_port_base())
        answer = events("up", "--detach", "--port-base", str(stack.port_base), *told, home=home)
        if "is taken" not in answer.stderr:
            break
    assert answer.returncode == 0, answer.stderr
    stack.refresh()
    return stack


class Another:
    """A worker's one stack with settings, beside the one of all tests.

    Who asks for the same settings next has the same stack; who asks for others ends it.
    """

    def __init__(self, folders: Callable[[], Path]) -> None:
        self._folders = folders
        self._settings: tuple[str, ...] = ()
        self._running: Stack | None = None

    def with_settings(self, *settings: str) -> Stack:
        """The stack that runs with these, NAME=VALUE each."""
        if self._running is None or self._settings != settings:
            self.stop()
            self._running, self._settings = start(self._folders() / "home", *settings), settings
        return self._running

    def stop(self) -> None:
        """End it."""
        if self._running is not None:
            stop(self._running)
            self._running = None


def stop(stack: Stack) -> None:
    """`events down`."""
    answer = events("down", home=stack.home)
    assert answer.returncode == 0, answer.stderr

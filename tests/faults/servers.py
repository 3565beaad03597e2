"""Kafka and ClickHouse as processes of their own, and materializers beside them: all can be killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.servers import free_port_base
from local import stack
from local.stack import Ports, environment
from tests.processes import START_TIMEOUT_S, STOP_TIMEOUT_S, is_ready, wait_until

PROTECTED = "processors.__main__:materialize"


@dataclass
class Server:
    """One server process, started again after a kill on the folder that it left."""

    spec: stack.Process
    port: int
    environment: dict[str, str]
    log: Path

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                self.spec.argv, env=self.environment, stdout=log, stderr=log
            )
        wait_until(self._answers, f"{self.spec.name} answers", START_TIMEOUT_S)

    def _answers(self) -> bool:
        assert self.child.poll() is None, f"ended: {self.log.read_text()[-2000:]}"
        return is_ready(f"127.0.0.1:{self.port}")  # both listen when they are ready to serve

    def kill(self) -> None:
        """kill -9; it must have been alive."""
        assert self.child.poll() is None, f"ended: {self.log.read_text()[-2000:]}"
        self.child.kill()
        self.child.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """End it, whatever state it is in."""
        with contextlib.suppress(ProcessLookupError):
            self.child.kill()
        self.child.wait(STOP_TIMEOUT_S)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Suspended while the context is open."""
        self.child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.child.send_signal(signal.SIGCONT)


@dataclass
class Servers:
    """What a fault test stands on; `logs` holds what the processes wrote."""

    ports: Ports
    kafka: Server
    clickhouse: Server
    logs: Path
    forkserver: "subprocess.Popen[str]"

    def materializer(self, settings: dict[str, str], entry: str = PROTECTED) -> psutil.Process:
        """A materializer with the stack's settings and these."""
        return self.forked("materialize", settings, entry)

    def forked(self, name: str, settings: dict[str, str], entry: str) -> psutil.Process:
        """The processor `name` with the stack's settings and these."""
        request = {
            "name": name,
            "entry": entry,
            "environment": environment(self.ports) | settings,
            "log": str(self.logs / f"{name}.log"),
        }
        assert self.forkserver.stdin is not None
        assert self.forkserver.stdout is not None
        self.forkserver.stdin.write(json.dumps(request) + "\n")
        self.forkserver.stdin.flush()
        return psutil.Process(int(self.forkserver.stdout.readline()))


@contextlib.contextmanager
def running(home: Path) -> Iterator[Servers]:
    """Servers with topics and tables, in a folder of their own."""
    ports, logs = Ports(free_port_base()), home / "logs"
    logs.mkdir(parents=True)
    settings = environment(ports)
    specs = {spec.name: spec for spec in stack.servers(home, ports)}
    kafka, clickhouse = (
        Server(specs[name], ports.by_name[name], settings, logs / f"{name}.log")
        for name in ("kafka", "clickhouse")
    )
    with contextlib.ExitStack() as up:
        for server in (kafka, clickhouse):
            server.start()
            up.callback(server.stop)
        subprocess.run(stack.setup().argv, env=settings, check=True, stderr=subprocess.DEVNULL)
        forkserver = up.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "tests.faults.forkserver"],
                env=settings,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        yield Servers(ports, kafka, clickhouse, logs, forkserver)


def seed() -> int:
    """The seed of this run's random faults: TESTS_FAULTS_SEED, or a new one."""
    return int(os.environ.get("TESTS_FAULTS_SEED") or int.from_bytes(os.urandom(4)))


def kills() -> int:
    """How many kills of each kind: TESTS_FAULTS_KILLS, or the few of the short form."""
    return int(os.environ.get("TESTS_FAULTS_KILLS") or 5)


def away_s() -> float:
    """How long ClickHouse stays away: TESTS_FAULTS_AWAY_S, or the few seconds of the short form."""
    return float(os.environ.get("TESTS_FAULTS_AWAY_S") or 2)

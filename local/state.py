"""What runs, written to `state.json` in the home folder by the supervisor and read by all commands.

A process is known by its id and its start time together: an id alone may have been given to
another program since.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil


@dataclass
class ProcessState:
    """One process: `state` is starting, running, restarting, stopping or stopped."""

    pid: int
    started: float
    state: str

    def alive(self) -> psutil.Process | None:
        """The process if it still runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < 1
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass
class State:
    """The stack: `phase` is starting, running, stopping or failed; `error` says why it failed."""

    port_base: int
    endpoints: dict[str, str]
    supervisor: ProcessState
    phase: str = "starting"
    error: str = ""
    processes: dict[str, ProcessState] = field(default_factory=dict)

    def save(self, home: Path) -> None:
        """Replace the file at once, so that a reader never sees half of it."""
        scratch = home / "state.json.new"
        scratch.write_text(json.dumps(asdict(self), indent=2))
        scratch.replace(home / "state.json")

    def public(self) -> dict[str, Any]:
        """What `events status --json` prints."""
        processes = {
            name: {"pid": process.pid, "state": process.state if process.alive() else "dead"}
            for name, process in self.processes.items()
        }
        return {**self.endpoints, "phase": self.phase, "processes": processes}


def load(home: Path) -> State | None:
    """The state in `home`, None when nothing was ever started there."""
    try:
        stored = json.loads((home / "state.json").read_text())
    except FileNotFoundError:
        return None
    stored["supervisor"] = ProcessState(**stored["supervisor"])
    stored["processes"] = {
        name: ProcessState(**process) for name, process in stored["processes"].items()
    }
    return State(**stored)


def running(home: Path) -> State | None:
    """The state in `home` if its supervisor is alive."""
    state = load(home)
    return state if state is not None and state.supervisor.alive() else None


def this_process() -> ProcessState:
    """The state entry of the process that calls."""
    return ProcessState(os.getpid(), psutil.Process().create_time(), "running")


def stop_orphans(home: Path, grace_s: float = 10) -> list[str]:
    """End what a supervisor that died left running; the names of those processes."""
    state = load(home)
    if state is None or state.supervisor.alive():
        return []
    left = {name: alive for name, each in state.processes.items() if (alive := each.alive())}
    for process in left.values():
        process.terminate()
    _, stubborn = psutil.wait_procs(left.values(), timeout=grace_s)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=grace_s)
    return list(left)

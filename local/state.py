"""What runs, written to `state.json` in the home folder by the supervisor and read by all commands.

A process is known by its id and its start time together: an id alone may have been given to
another program since.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from local.stack import Ports


@dataclass
class ProcessState:
    """One process: `state` is starting, running, restarting, stopping or stopped."""

    pid: int
    started: float
    state: str
    ready_after_s: float | None = None

    @classmethod
    def of(cls, pid: int, state: str) -> "ProcessState":
        """The entry of a process that was just started."""
        try:
            return cls(pid, psutil.Process(pid).create_time(), state)
        except psutil.NoSuchProcess:  # ended already
            return cls(pid, time.time(), state)

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
    """The stack: `phase` is starting, running, stopping, stopped or failed; `error` says why it failed.

    `settings` are those a person gave, without passwords.
    """

    port_base: int
    endpoints: dict[str, str]
    supervisor: ProcessState
    phase: str = "starting"
    error: str = ""
    processes: dict[str, ProcessState] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def save(self, home: Path) -> None:
        """Replace the file at once, so that a reader never sees half of it."""
        scratch = home / "state.json.new"
        with scratch.open("w") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(home / "state.json")

    def public(self) -> dict[str, Any]:
        """What `events status --json` prints."""
        processes: dict[str, dict[str, int | str]] = {
            name: {"pid": process.pid, "state": process.state if process.alive() else "dead"}
            for name, process in self.processes.items()
        }
        for name, url in Ports(self.port_base).metrics.items():
            if name in processes:
                processes[name]["metrics"] = url
        return {
            **self.endpoints,
            "phase": self.phase,
            "processes": processes,
            "settings": self.settings,
        }


class Unreadable(Exception):
    """The state file is not one of ours; the message says what to do."""


def load(home: Path) -> State | None:
    """The state in `home`, None when nothing was ever started there. Raises `Unreadable`."""
    path = home / "state.json"
    try:
        stored = json.loads(path.read_text())
        stored["supervisor"] = ProcessState(**stored["supervisor"])
        stored["processes"] = {
            name: ProcessState(**process) for name, process in stored["processes"].items()
        }
        return State(**stored)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise Unreadable(f"{path} cannot be read ({error.strerror}).") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Unreadable(
            f"{path} cannot be read ({error}): a disk was full or another version wrote it."
            " Delete that file; events, queues and keys are kept elsewhere. End what may still run."
        ) from error


def running(home: Path) -> State | None:
    """The state in `home` if its supervisor is alive."""
    state = load(home)
    return state if state is not None and state.supervisor.alive() else None


def this_process() -> ProcessState:
    """The state entry of the process that calls."""
    return ProcessState.of(os.getpid(), "running")


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

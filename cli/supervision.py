"""The supervisor as `events up` sees it: started, watched until all is ready, followed, stopped."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from cli.answers import complain, fail

if TYPE_CHECKING:
    from local.state import State

console = Console(stderr=True)

START_TIMEOUT_S = 400.0  # above what the supervisor waits: servers, setup, then services
STOP_TIMEOUT_S = 90.0
WATCH_S = 0.1
FOLLOW_S = 0.5


def launch(home: Path, port_base: int, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start the supervisor in a session of its own, its output in the log; `settings` are kept.

    Exits 1 when `home` cannot be written.
    """
    from local import disk
    from local.settings import keep

    try:
        (home / "logs").mkdir(parents=True, exist_ok=True)
        if disk.free_bytes(home) < disk.START_BYTES_MIN:
            fail(disk.sentence(home))
        keep(home, settings)
    except OSError as error:
        if disk.is_cause(error):
            fail(disk.sentence(home))
        fail(
            f"{home} cannot hold the stack's state: {error.strerror}."
            " Name a folder that can be written: --home DIR"
        )
    argv = [sys.executable, "-m", "local.supervisor", "--home", str(home)]
    with _log_path(home).open("wb") as log:
        return subprocess.Popen(
            [*argv, "--port-base", str(port_base)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def watch_start(home: Path, supervisor: "subprocess.Popen[bytes]") -> "State":
    """A line for each process that is ready. Exits 1 with the reason when the start failed."""
    began = time.monotonic()
    told: set[str] = set()
    with console.status("starting") as status:
        while supervisor.poll() is None:
            state = _state(home, supervisor)
            waiting = _tell(state, told) if state else []
            names = ", ".join(waiting) or "the supervisor"
            status.update(f"{time.monotonic() - began:.0f} s, waiting for {names}")
            if state is not None and state.phase == "running":
                break
            if time.monotonic() - began > START_TIMEOUT_S:
                supervisor.terminate()
                supervisor.wait(STOP_TIMEOUT_S)
            time.sleep(WATCH_S)
    state = _state(home, supervisor)
    if state is None or state.phase != "running":
        reason = state.error if state and state.error else _log_path(home).read_text().strip()
        fail(f"The stack did not start. {reason or f'See {_log_path(home)}.'}")
    console.print(f"Ready in {time.monotonic() - began:.0f} s.")
    return state


def follow(home: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    """Show what the supervisor reports until it ends. Exits 1 when it ended by itself."""
    with _log_path(home).open() as log:
        while supervisor.poll() is None:
            if report := log.read():
                complain(report.rstrip())
            time.sleep(FOLLOW_S)
    if supervisor.returncode:
        fail(
            f"The supervisor ended (code {supervisor.returncode}); its log is {_log_path(home)}."
            f" End what it left: events down --home {home}"
        )


def stop(home: Path, supervisor: "subprocess.Popen[bytes]") -> None:
    """Stop all, however often Ctrl-C is pressed meanwhile."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with console.status("stopping"):
        supervisor.terminate()
        try:
            supervisor.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            fail(f"It does not stop; process {supervisor.pid} supervises it.")
    console.print(f"Stopped. Everything is kept in {home}; `events reset` empties it.")


def _log_path(home: Path) -> Path:
    return home / "logs" / "supervisor.log"


def _state(home: Path, supervisor: "subprocess.Popen[bytes]") -> "State | None":
    """What this supervisor wrote, not one before it."""
    from local.state import load

    state = load(home)
    return state if state is not None and state.supervisor.pid == supervisor.pid else None


def _tell(state: "State", told: set[str]) -> list[str]:
    """Print those that are ready and not `told` yet; the others."""
    waiting = []
    for name, process in state.processes.items():
        if process.ready_after_s is None:
            waiting.append(name)
        elif name not in told:
            told.add(name)
            console.print(f"  {name:<12}[green]ready in {process.ready_after_s} s[/]")
    return waiting

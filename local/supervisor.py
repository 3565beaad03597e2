"""`python -m local.supervisor --home DIR --port-base N`: starts the stack and keeps it running.

Servers first and together, then topics and tables, then the services. A process that ends is
started again after a pause that doubles while it keeps ending; none notices more of another's
restart than that pause. SIGTERM or SIGINT stops all, services first. What goes on is in state.json.
"""

import argparse
import asyncio
import fcntl
import logging
import signal
import sys
import time
from pathlib import Path

from local import child, disk, settings, stack, state
from local.keeper import POLL_S, Keeper
from local.stack import Ports, Process
from local.state import ProcessState

log = logging.getLogger(__name__)

READY_TIMEOUT_S = 180.0  # a busy machine: Kafka took more than 60 s under a load of 20


class StartFailed(Exception):
    """The stack cannot start; the message is for the person who started it."""


class Supervisor:
    """The processes of one stack."""

    def __init__(self, home: Path, ports: Ports, given: dict[str, str]) -> None:
        self._home = home
        self._ports = ports
        self._environment = stack.environment(ports, stack.AT_REST | given)
        self._groups: list[dict[str, asyncio.Task[None]]] = []
        self._state = state.State(ports.base, ports.endpoints, state.this_process())
        self._unsaved = ""
        self._state.settings = settings.shown(given)

    async def run(self) -> bool:
        """Start everything, keep it running until a signal; whether the start succeeded."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        self._save()
        start = asyncio.create_task(self._start())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if start.done():
                start.result()
                await self._until(stop)
            else:
                start.cancel()
                await asyncio.wait({start})
        except StartFailed as failure:
            self._state.error = str(failure)
        finally:
            stop.cancel()
            await self._stop()
        return not self._state.error

    async def _start(self) -> None:
        preparing = asyncio.create_task(self._run_once(stack.setup()))  # it waits for the servers
        try:
            await self._start_all(stack.servers(self._home, self._ports))
            await preparing
        finally:
            preparing.cancel()
            await asyncio.wait({preparing})
        await self._start_all(stack.services(self._home, self._ports))
        self._state.phase = "running"
        self._save()

    async def _start_all(self, processes: list[Process]) -> None:
        """Start `processes` and wait until all are ready. Raises `StartFailed`."""
        keepers = [
            Keeper(process, self._log_path(process), self._environment, self._note)
            for process in processes
        ]
        self._groups.append({k.process.name: asyncio.create_task(k.keep()) for k in keepers})
        give_up = time.monotonic() + READY_TIMEOUT_S
        while waiting := [k for k in keepers if self._state_of(k.process.name) != "running"]:
            for keeper in waiting:
                if self._state_of(keeper.process.name) == "restarting" or keeper.starts > 1:
                    raise StartFailed(
                        _why("ended while it started", keeper.process, keeper.log_path)
                    )
            if time.monotonic() > give_up:
                late = f"was not ready within {READY_TIMEOUT_S:.0f} s"
                raise StartFailed(_why(late, waiting[0].process, waiting[0].log_path))
            await asyncio.sleep(POLL_S)

    async def _run_once(self, process: Process) -> None:
        """Run `process` to its end. Raises `StartFailed`."""
        running = await child.spawn(process, self._log_path(process), self._environment)
        self._note(process.name, ProcessState.of(running.pid, "starting"))
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                code = await running.wait()
        except TimeoutError:
            code = -1
        finally:
            await child.end(running)
            self._state.processes.pop(process.name)
        if code:
            raise StartFailed(_why("failed", process, self._log_path(process)))

    async def _until(self, stop: "asyncio.Task[bool]") -> None:
        """Wait for a signal; no deadline. A keeper that ends is a bug, raised here."""
        keepers = {task for group in self._groups for task in group.values()}
        done, _ = await asyncio.wait({stop, *keepers}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    def _note(self, name: str, process: ProcessState) -> None:
        self._state.processes[name] = process
        self._save()

    def _save(self) -> None:
        try:
            self._state.save(self._home)
            self._unsaved = ""
        except OSError as error:  # a full disk or a removed folder must not leave orphans
            why = disk.sentence(self._home) if disk.is_cause(error) else str(error)
            if why != self._unsaved:  # said once
                log.error("%s/state.json was not written: %s", self._home, why)
            self._unsaved = why

    def _state_of(self, name: str) -> str:
        known = self._state.processes.get(name)
        return known.state if known else "starting"

    def _log_path(self, process: Process) -> Path:
        return self._home / "logs" / f"{process.name}.log"

    async def _stop(self) -> None:
        """End all processes, the last group first; each process gets its grace."""
        self._state.phase = "stopping"
        self._save()
        for group in reversed(self._groups):
            for keeper in group.values():
                keeper.cancel()
            await asyncio.wait(group.values(), timeout=child.STOP_GRACE_S + 5)
            for name in group:
                self._state.processes.pop(name, None)
            self._save()
        self._state.phase = "failed" if self._state.error else "stopped"
        self._save()


def _why(what: str, process: Process, log_path: Path) -> str:
    return f"{process.name} {what}. {child.log_tail(log_path)}"


def main() -> None:
    """Supervise until a signal; exit 1 when the start failed."""
    parser = argparse.ArgumentParser(prog="python -m local.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of all state")
    parser.add_argument("--port-base", type=int, default=stack.PORT_BASE, help="first port")
    arguments = parser.parse_args()
    home: Path = arguments.home.resolve()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    logging.basicConfig(format="%(asctime)s %(message)s")
    with (home / "supervisor.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.exit(f"Another supervisor is at work in {home}. See it: events status")
        supervisor = Supervisor(home, Ports(arguments.port_base), settings.kept(home))
        sys.exit(not asyncio.run(supervisor.run()))


if __name__ == "__main__":
    main()

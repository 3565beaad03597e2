"""`python -m local.supervisor --home DIR --port-base N`: starts the stack and keeps it running.

Servers first and together, then topics and tables, then the services. A process that ends is
started again after a pause that doubles while it keeps ending; none notices more of another's
restart than that pause. SIGTERM or SIGINT stops all, services first. What goes on is in state.json.
"""

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from pathlib import Path

import httpx
import psutil

from local import stack, state
from local.stack import Ports, Process

READY_TIMEOUT_S = 60.0
STOP_GRACE_S = 12.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LIVED_LONG_S = 30.0
LOG_TAIL_LINES = 8
PROBE_TIMEOUT_S = 5.0
POLL_S = 0.1


class StartFailed(Exception):
    """The stack cannot start; the message is for the person who started it."""


class Supervisor:
    """The processes of one stack."""

    def __init__(self, home: Path, ports: Ports) -> None:
        self._home = home
        self._ports = ports
        self._environment = stack.environment(ports)
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._ended: set[str] = set()
        self._state = state.State(ports.base, ports.endpoints, state.this_process())

    async def run(self) -> bool:
        """Start everything, keep it running until a signal; whether the start succeeded."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        self._state.save(self._home)
        start = asyncio.create_task(self._start())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        try:
            if start.done():
                start.result()
                await stop  # no deadline: until a signal
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
        await self._start_all(stack.servers(self._home, self._ports))
        await self._run_once(stack.setup())
        await self._start_all(stack.services(self._ports))
        self._state.phase = "running"
        self._state.save(self._home)

    async def _start_all(self, processes: list[Process]) -> None:
        """Start `processes` and wait until all are ready. Raises `StartFailed`."""
        for process in processes:
            self._keepers[process.name] = asyncio.create_task(self._keep(process))
        names, give_up = {process.name for process in processes}, time.monotonic() + READY_TIMEOUT_S
        while waiting := {name for name in names if self._state_of(name) != "running"}:
            for name in waiting & self._ended:
                raise StartFailed(f"{name} ended while it started. {self._log_tail(name)}")
            if time.monotonic() > give_up:
                name = min(waiting)
                raise StartFailed(
                    f"{name} was not ready within {READY_TIMEOUT_S:.0f} s. {self._log_tail(name)}"
                )
            await asyncio.sleep(POLL_S)

    async def _run_once(self, process: Process) -> None:
        child = await self._spawn(process)
        self._note(process.name, child.pid, "running")
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                code = await child.wait()
        except TimeoutError:
            code = None
        finally:
            await self._end(child)
            self._state.processes.pop(process.name)
        if code != 0:
            raise StartFailed(f"{process.name} failed. {self._log_tail(process.name)}")

    async def _keep(self, process: Process) -> None:
        """Run the process, again and again, until cancelled."""
        pause_s = FIRST_PAUSE_S
        while True:
            began_s = time.monotonic()
            child = await self._spawn(process)
            self._note(process.name, child.pid, "starting")
            ready = asyncio.create_task(self._note_when_ready(process, child.pid))
            try:
                await child.wait()  # no deadline: as long as it lives
            finally:
                ready.cancel()
                await self._end(child)
            self._ended.add(process.name)
            self._note(process.name, child.pid, "restarting")
            if time.monotonic() - began_s > LIVED_LONG_S:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _spawn(self, process: Process) -> asyncio.subprocess.Process:
        with (self._home / "logs" / f"{process.name}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *process.argv,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
            )

    async def _note_when_ready(self, process: Process, pid: int) -> None:
        while not await is_ready(process.ready):
            await asyncio.sleep(POLL_S)
        self._note(process.name, pid, "running")

    def _note(self, name: str, pid: int, status: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            known = self._state.processes.get(name)
            started = known.started if known and known.pid == pid else None
            started = started or psutil.Process(pid).create_time()
            self._state.processes[name] = state.ProcessState(pid, started, status)
            self._state.save(self._home)

    def _state_of(self, name: str) -> str:
        known = self._state.processes.get(name)
        return known.state if known else "starting"

    def _log_tail(self, name: str) -> str:
        path = self._home / "logs" / f"{name}.log"
        tail = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"The end of {path}:\n" + "\n".join(f"  {line[:300]}" for line in tail)

    async def _stop(self) -> None:
        """End all processes, the last started first; each gets its grace."""
        self._state.phase = "stopping"
        self._state.save(self._home)
        for name, keeper in reversed(self._keepers.items()):
            keeper.cancel()
            await asyncio.wait({keeper}, timeout=STOP_GRACE_S + 5)
            self._state.processes.pop(name, None)
            self._state.save(self._home)
        self._state.phase = "failed" if self._state.error else "stopped"
        self._state.save(self._home)

    async def _end(self, child: asyncio.subprocess.Process) -> None:
        """SIGTERM, and SIGKILL when the grace has passed; by process id."""
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), STOP_GRACE_S)
            except TimeoutError:
                child.kill()
                await child.wait()


async def is_ready(probe: str | None) -> bool:
    """Whether a URL answers 200, or a host:port accepts; True when there is nothing to ask."""
    if probe is None:
        return True
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            if probe.startswith("http"):
                async with httpx.AsyncClient() as client:
                    return (await client.get(probe)).status_code == 200
            host, _, port = probe.rpartition(":")
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            return True
    except (OSError, TimeoutError, httpx.HTTPError):
        return False


def main() -> None:
    """Supervise until a signal; exit 1 when the start failed."""
    parser = argparse.ArgumentParser(prog="python -m local.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of all state")
    parser.add_argument("--port-base", type=int, default=stack.PORT_BASE, help="first port")
    arguments = parser.parse_args()
    home: Path = arguments.home.resolve()
    (home / "logs").mkdir(parents=True, exist_ok=True)
    sys.exit(not asyncio.run(Supervisor(home, Ports(arguments.port_base)).run()))


if __name__ == "__main__":
    main()

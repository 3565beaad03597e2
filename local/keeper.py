"""Keeps one process running: started again whenever it ends, after a pause that doubles.

Says in the supervisor's log when a process ends, and why, when it keeps ending. A process that
hangs is not noticed, only one that ends.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from local import child
from local.probe import is_ready
from local.stack import Process
from local.state import ProcessState

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
LIVED_LONG_S = 30.0
ENDS_BEFORE_REASON = 3
POLL_S = 0.1


class Keeper:
    """One kept process; `note` is told each change of its state."""

    def __init__(
        self,
        process: Process,
        log_path: Path,
        environment: dict[str, str],
        note: Callable[[str, ProcessState], None],
    ) -> None:
        self.process = process
        self.log_path = log_path
        self.starts = 0
        self._environment = environment
        self._note = note

    async def keep(self) -> None:
        """Run the process, again and again, until cancelled."""
        pause_s, ends = FIRST_PAUSE_S, 0
        while True:
            began_s = time.monotonic()
            code = await self._run()
            if time.monotonic() - began_s > LIVED_LONG_S:
                pause_s, ends = FIRST_PAUSE_S, 0
            ends += 1
            reason = child.log_tail(self.log_path) if ends >= ENDS_BEFORE_REASON else ""
            log.warning(
                "%s ended (%s); next start in %.1f s. %s", self.process.name, code, pause_s, reason
            )
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _run(self) -> str:
        """Run the process once; how it ended. Ends it when cancelled."""
        running = await child.spawn(self.process, self.log_path, self._environment)
        self.starts += 1
        state = ProcessState.of(running.pid, "starting")
        self._note(self.process.name, state)
        ready = asyncio.create_task(self._note_when_ready(state))
        try:
            code = await running.wait()  # no deadline: as long as it lives
        finally:
            ready.cancel()
            await child.end(running)
        state.state = "restarting"
        self._note(self.process.name, state)
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    async def _note_when_ready(self, state: ProcessState) -> None:
        began_s = time.monotonic()
        while not await is_ready(self.process.ready):
            await asyncio.sleep(POLL_S)
        state.state, state.ready_after_s = "running", round(time.monotonic() - began_s, 1)
        self._note(self.process.name, state)

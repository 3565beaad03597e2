"""One child process: started with its output in a log file, ended by its id."""

import asyncio
from pathlib import Path

from local import disk
from local.stack import Process

STOP_GRACE_S = 12.0
LOG_BYTES_MAX = 10_000_000
LOG_TAIL_LINES = 8
LINE_CHARACTERS_MAX = 600


async def spawn(
    process: Process, log_path: Path, environment: dict[str, str]
) -> asyncio.subprocess.Process:
    """Start `process`; a log that has grown long is set aside first."""
    _set_aside_when_long(log_path)
    with log_path.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *process.argv,
            env=environment | process.settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
        )


async def end(child: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL when the grace has passed."""
    if child.returncode is None:
        child.terminate()
        try:
            await asyncio.wait_for(child.wait(), STOP_GRACE_S)
        except TimeoutError:
            child.kill()
            await child.wait()


def _set_aside_when_long(log_path: Path) -> None:
    if log_path.exists() and log_path.stat().st_size > LOG_BYTES_MAX:
        log_path.replace(log_path.with_suffix(".log.1"))


def log_tail(path: Path) -> str:
    """Where a process wrote its log, and the last lines of it; of a full disk that alone."""
    lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    if disk.is_reported("\n".join(lines)):
        return f"{disk.sentence(path.parent)} Its log: {path}"
    return f"The end of {path}:\n" + "\n".join(f"  {line[:LINE_CHARACTERS_MAX]}" for line in lines)

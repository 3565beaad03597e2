"""`python3 -m local.step TITLE COMMAND...`: a step of `make setup`, on a terminal with a clock and a bar.

It runs before anything is installed, so the standard library has to do. The command gets a terminal of
its own, where uv counts the bytes of each package; they are added up, the names are not shown.
Without a terminal the title is a line. What the command says is shown when it fails.
"""

import fcntl
import io
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import termios
import time

WIDTH = 16
TICK_S = 0.2
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
DOWNLOAD = re.compile(r"([a-z0-9._-]+) +[-━]* *([0-9.]+) ([KMG]i)?B/([0-9.]+) ([KMG]i)?B")
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
ROWS, COLUMNS = 500, 200  # of the command's terminal: uv leaves out what does not fit


class Downloads:
    """The bytes that there are and those to come, from what uv shows of each package."""

    def __init__(self) -> None:
        self.bytes: dict[str, tuple[float, float]] = {}
        self._rest = ""

    def feed(self, shown: str) -> None:
        """Take what was shown next, however it was cut."""
        text = ESCAPE.sub("", self._rest + shown)
        end = 0
        for found in DOWNLOAD.finditer(text):
            name, there, unit, whole, unit_of_whole = found.groups()
            self.bytes[name] = _bytes(there, unit), _bytes(whole, unit_of_whole)
            end = found.end()
        self._rest = text[end:][-COLUMNS:]

    def __str__(self) -> str:
        if not self.bytes:
            return ""
        there, whole = (sum(each) for each in zip(*self.bytes.values(), strict=True))
        full = int(WIDTH * there / whole) if whole else WIDTH
        return f"{'━' * full}{'─' * (WIDTH - full)}  {there / 1e6:.0f} of {whole / 1e6:.0f} MB  "


def _bytes(number: str, unit: str | None) -> float:
    return float(number) * UNITS[f"{unit or ''}B"]


def watched(title: str, command: list[str]) -> int:
    """Run `command` with its progress beside `title`; its exit code."""
    began, downloads = time.monotonic(), Downloads()
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        while (shown := _read(master)) != b"":
            downloads.feed((shown or b"").decode(errors="replace"))
            _draw(f"{title}  {downloads}{time.monotonic() - began:.0f} s")
    os.close(master)
    _draw(f"{title}  {time.monotonic() - began:.0f} s")
    _say("\n")
    return process.returncode


def _read(master: int) -> bytes | None:
    """What came within a tick, None for nothing, no bytes at the end."""
    if not select.select([master], [], [], TICK_S)[0]:
        return None
    try:
        return os.read(master, 65536)
    except OSError:  # how Linux says that nobody has the other end open
        return b""


def _draw(line: str) -> None:
    """In place of the line before; cut, since a line that wraps cannot be taken back."""
    columns = shutil.get_terminal_size().columns - 1
    _say(f"\r{line[:columns]}\x1b[K")


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def plain(command: list[str]) -> int:
    """Run `command`; its exit code, and when that is not 0 what it said."""
    ran = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ran.returncode:
        _say(ran.stdout.decode(errors="replace"))
    return ran.returncode


def main() -> None:
    """Run the step. Exits as its command does."""
    title, *command = sys.argv[1:]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without UTF-8 has no bars
    try:
        if not sys.stdout.isatty():
            _say(f"{title}\n")
            sys.exit(plain(command))
        if watched(title, command):
            _say("That failed. Once more, with what it says:\n")
            sys.exit(subprocess.call(command))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

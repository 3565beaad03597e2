"""A command as a person sees it: on a terminal of its own."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
_ESCAPE = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>]|\][^\x07]*\x07)")


class Terminal:
    """`python -m cli ARGUMENTS` on a pseudo-terminal; `seen` is what it has shown, without escapes.

    Or another `module`.
    """

    def __init__(
        self,
        *arguments: str,
        module: str = "cli",
        columns: int = 200,
        rows: int = 50,
        **variables: str,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        environment |= {"TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment | variables,
            start_new_session=True, preexec_fn=_own_terminal,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._master, text.encode())

    def until(self, text: str, since: int = 0) -> str:
        """Read until `text` is shown behind the first `since` characters; all that is shown."""
        give_up = time.monotonic() + DEADLINE_S
        while text not in self.seen[since:]:
            assert time.monotonic() < give_up, f"{text!r} does not come: {self.seen}"
            assert self._read(), f"{text!r} has not come: {self.seen}"
        return self.seen

    def end(self) -> int:
        """Read until the command ends; its exit code."""
        while self._read():
            pass
        return self.process.wait(DEADLINE_S)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], DEADLINE_S)[0]:
            return False
        try:
            piece = os.read(self._master, 65536)
        except OSError:  # how Linux says that nobody has the other end open
            return False
        self.seen += _ESCAPE.sub("", piece.decode(errors="replace")).replace("\r\n", "\n")
        return bool(piece)


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that Ctrl-C of the terminal reaches it

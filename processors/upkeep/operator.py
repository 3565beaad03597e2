"""Whoever runs a command of the upkeep: where it is to be done, and how a person is talked to."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from processors.consume.replay import Progress
from processors.settings import SetupSettings

DONE, WRONG, NOT_DONE, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: as it should be; not so, and named; it could not be done; Ctrl-C."""


@dataclass(frozen=True)
class Operator:
    """`settings` raises `BadSettings`; `ask` returns when the answer is yes, else it ends the process."""

    settings: Callable[[], SetupSettings]
    complain: Callable[[str], None]
    ask: Callable[[str], object]
    bar: Callable[[], AbstractContextManager[Progress]]

    def say(self, text: str) -> None:
        """A result, on standard output."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def note(self, text: str) -> None:
        """What goes with a result, on standard error."""
        sys.stderr.write(f"{text}\n")

"""The stack that the workers of a run share: who needs it first starts it, the last to leave stops it."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from local import state
from tests import stack as stacks
from tests.stack import Stack, eventually


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Stack]:
    """The one below `folder`, until the context ends; a worker that was killed has left it too."""
    home = folder / "shared"
    with (folder / "starting").open("w") as one, (folder / "using").open("w") as using:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(using, fcntl.LOCK_SH)
        stack = _joined(home) or stacks.start(home)
        stack.shared = True
        fcntl.flock(one, fcntl.LOCK_UN)
        yield stack
        fcntl.flock(one, fcntl.LOCK_EX)
        with contextlib.suppress(BlockingIOError):  # another worker uses it
            fcntl.flock(using, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stacks.stop(stack)


def _joined(home: Path) -> Stack | None:
    """The one that runs there, ready."""
    running = state.running(home)
    if running is None:
        return None
    stack = Stack(home, running.port_base)
    eventually(stack.refresh, until=lambda status: status["phase"] == "running")
    return stack

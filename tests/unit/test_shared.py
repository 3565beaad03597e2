"""Workers share a stack: the first starts it, the last stops it, whatever becomes of the others."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local.state import State, this_process
from tests import stack as stacks
from tests.shared import shared
from tests.stack import Stack

USING = """
import fcntl, sys, time
using = open(sys.argv[1], "w")
fcntl.flock(using, fcntl.LOCK_SH)
print("used", flush=True)
time.sleep(60)
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started and stopped; this process stands for the supervisor."""
    said = list[str]()

    def start(home: Path) -> Stack:
        said.append("start")
        home.mkdir(exist_ok=True)
        State(12_000, {}, this_process(), phase="running").save(home)
        return Stack(home, 12_000)

    def stop(stack: Stack) -> None:
        said.append("stop")
        (stack.home / "state.json").unlink()

    monkeypatch.setattr(stacks, "start", start)
    monkeypatch.setattr(stacks, "stop", stop)
    return said


def test_the_first_starts_it_and_the_last_stops_it(told: list[str], tmp_path: Path) -> None:
    first, second = shared(tmp_path), shared(tmp_path)
    one, other = first.__enter__(), second.__enter__()
    assert (one.home, one.port_base) == (other.home, other.port_base)
    assert told == ["start"]
    first.__exit__(None, None, None)
    assert told == ["start"]
    second.__exit__(None, None, None)
    assert told == ["start", "stop"]
    with shared(tmp_path):
        assert told[2:] == ["start"]


def test_a_worker_that_was_killed_keeps_it_from_nobody(told: list[str], tmp_path: Path) -> None:
    with shared(tmp_path):
        argv = [sys.executable, "-c", USING, str(tmp_path / "using")]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as killed:
            assert killed.stdout is not None
            assert killed.stdout.readline() == "used\n"
            os.kill(killed.pid, signal.SIGKILL)
    assert told == ["start", "stop"]


@pytest.mark.usefixtures("told")
def test_nobody_kills_or_freezes_what_others_use(tmp_path: Path) -> None:
    with shared(tmp_path) as stack:
        for disturb in (stack.kill, stack.freeze):
            with pytest.raises(AssertionError, match="tests/alone"):
                disturb("kafka")

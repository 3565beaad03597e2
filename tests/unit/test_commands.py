"""An `events` that is forked is to a shell as the one that is installed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.commands import on_path
from tests.processes import wait_until


@pytest.fixture
def events(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a shell that finds it."""
    with on_path(tmp_path) as folder:
        yield os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "EVENTS_HOME": "nowhere"}


def shell(
    program: str, environment: dict[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", "-uo", "pipefail", "-c", program],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_it_has_the_shells_files_folder_variables_and_exit_code(
    events: dict[str, str], tmp_path: Path
) -> None:
    status = shell("events status; echo $?; EVENTS_HOME=other events status", events, tmp_path)
    assert status.stdout == "3\n"
    assert f"{tmp_path}/nowhere" in status.stderr
    assert f"{tmp_path}/other" in status.stderr
    assert status.returncode == 3
    written = shell(
        "echo first > f; events --version >> f; events --help | grep -c Usage:", events, tmp_path
    )
    assert written.stdout == "1\n"
    assert [line.split()[0] for line in (tmp_path / "f").read_text().splitlines()] == [
        "first",
        "events",
    ]


def test_one_that_waits_for_its_input_keeps_no_other_waiting(
    events: dict[str, str], tmp_path: Path
) -> None:
    both = "(events --version; echo '{}') | tee seen | events post - ; events --version"
    assert shell(both, events, tmp_path).stdout.startswith("events ")
    assert (tmp_path / "seen").read_text().startswith("events ")


def test_one_that_its_shell_kills_ends(events: dict[str, str], tmp_path: Path) -> None:
    def running() -> list[psutil.Process]:
        return psutil.Process().children(recursive=True)

    idle = len(running())
    with subprocess.Popen(
        ["bash", "-c", "exec events post -"], cwd=tmp_path, env=events, stdin=subprocess.PIPE
    ) as waits:
        wait_until(lambda: len(running()) == idle + 3, "it waits for its input", 60)
        waits.terminate()
        waits.wait(60)
        wait_until(lambda: len(running()) == idle, "it has ended", 60)

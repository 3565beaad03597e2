"""A step of `make setup`: on a terminal the bytes of all packages in one bar, never their names."""

import subprocess
import sys

import pytest

from local.step import Downloads
from tests.cli.terminal import ROOT, Terminal

ROWS = (  # as uv writes them to a terminal
    "\x1b[2K\x1b[37m⠙\x1b[0m \x1b[2mPreparing packages...\x1b[0m (2/5)"
    "\x1b[1B\r\x1b[2mruff     \x1b[0m \x1b[32m------------\x1b[2m\x1b[0m 512.00 KiB/10.00 MiB  "
    "\x1b[1B\r\x1b[2mchdb-core\x1b[0m ------------------------------ 20.00 MiB/90.00 MiB   "
)
SHOWS = f"print({ROWS!r}, flush=True); input()"
FAILS = "import sys; print('no route to the registry'); sys.exit(3)"


@pytest.mark.parametrize("cut", [1, 7, 64, len(ROWS)])
def test_bytes_of_all_packages_are_added_up_however_they_are_cut(cut: int) -> None:
    downloads = Downloads()
    for shown in (ROWS, ROWS.replace(" 20.00", " 70.00")):
        for start in range(0, len(shown), cut):
            downloads.feed(shown[start : start + cut])
    assert str(downloads) == "━━━━━━━━━━━─────  74 of 105 MB  "


def test_a_terminal_shows_a_bar_and_no_names() -> None:
    with Terminal("1/4  packages", sys.executable, "-c", SHOWS, module="local.step") as terminal:
        line = "1/4  packages  ━━━─────────────  21 of 105 MB  "
        drawn = len(terminal.until(line))
        terminal.until(line, since=drawn)  # the clock goes on while the command says nothing
        assert "chdb" not in terminal.seen
    with Terminal("1/4  packages", sys.executable, "-c", "", module="local.step") as terminal:
        assert terminal.end() == 0
        assert terminal.seen.endswith("s\n")


def test_a_narrow_terminal_gets_lines_that_do_not_wrap() -> None:
    step = ("1/4  packages", sys.executable, "-c", SHOWS)
    with Terminal(*step, module="local.step", columns=30) as terminal:
        terminal.until("━━━")
        assert max(map(len, terminal.seen.split("\r"))) < 30


def test_what_failed_is_run_again_with_what_it_says() -> None:
    with Terminal("1/4  packages", sys.executable, "-c", FAILS, module="local.step") as terminal:
        assert terminal.end() == 3
        assert "no route to the registry" in terminal.seen


@pytest.mark.parametrize(
    ("code", "exit_code", "printed"),
    [("print('chdb')", 0, ""), (FAILS, 3, "no route to the registry\n")],
)
def test_without_a_terminal_the_title_is_a_line(code: str, exit_code: int, printed: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "local.step", "1/4  packages", sys.executable, "-c", code],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (exit_code, f"1/4  packages\n{printed}")

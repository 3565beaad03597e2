"""`.ci/run` sees to a browser for the console's tests, and goes on without one."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / ".ci" / "run"
REAL = ("bash", "dirname")
BESIDE = {"timeout": 'shift; exec "$@"'}  # macOS has none


def told(folder: Path, **programs: str) -> tuple[int, list[str], str]:
    """Exit code, what was called and messages, where there are only these programs, as shell scripts."""
    for name in REAL:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    calls = folder / "calls"
    for name, body in (programs | BESIDE).items():
        program = folder / name.replace("_", "-")
        program.write_text(f'#!/bin/sh\necho "{program.name} $*" >> {calls}\n{body}\n')
        program.chmod(0o755)
    answer = subprocess.run(
        [RUN], env=os.environ | {"PATH": str(folder)},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    seen = [
        line for line in calls.read_text().splitlines() if line.split()[0] not in ("id", "timeout")
    ]
    return answer.returncode, seen, answer.stderr


def test_a_browser_that_is_there_is_enough(tmp_path: Path) -> None:
    called = told(tmp_path, make="", chromium="", id="echo 0", apt_get="exit 1")
    assert called == (0, ["make check", "make test"], "")


def test_else_root_installs_one(tmp_path: Path) -> None:
    code, seen, message = told(tmp_path, make="", id="echo 0", apt_get="")
    assert (code, message) == (0, "")
    assert [line.split()[:2] for line in seen[:2]] == [
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]
    assert seen[1].endswith(" chromium")
    assert seen[2:] == ["make check", "make test"]


@pytest.mark.parametrize(("who", "apt"), [("0", "exit 100"), ("1000", "")])
def test_where_none_can_be_installed_it_is_said_and_the_rest_runs(
    tmp_path: Path, who: str, apt: str
) -> None:
    code, seen, message = told(tmp_path, make="", id=f"echo {who}", apt_get=apt)
    assert code == 0
    assert seen[-2:] == ["make check", "make test"]
    assert message.startswith("NO BROWSER: ")


def test_a_check_that_fails_fails_it(tmp_path: Path) -> None:
    assert told(tmp_path, make="exit 2", chromium="")[0] == 2

"""A local ClickHouse endpoint, and what the programs of other languages run on.

What is not there is installed once below `.clients/`; where that cannot be, the test is skipped and
says so.
"""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import INSTALLED, ROOT, install_once, node_modules, run
from tests.processes import free_port, running_module

__all__ = ["node_modules"]
PROGRAMS = Path(__file__).parent / "programs"
PROGRAM_TIMEOUT_S = 400
"""dbt took 93 s on two cores that seven others had, of which five were its own CPU."""


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of an endpoint of its own."""
    port, path = free_port(), tmp_path_factory.mktemp("clickhouse")
    arguments = ("--path", str(path), "--port", str(port))
    ready = f"http://127.0.0.1:{port}/ping"
    with running_module("local.clickhouse", *arguments, ready=ready):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def seen_by(tmp_path: Path) -> Callable[..., Any]:
    """Run a program; what it printed, as JSON."""

    def seen(*command: str | Path, cwd: Path = tmp_path) -> Any:
        done = run(*command, cwd=cwd, timeout_s=PROGRAM_TIMEOUT_S)
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout.splitlines()[-1])

    return seen


@pytest.fixture(scope="session")
def analysts_python() -> Path:
    """The Python of an environment with dbt and SQLAlchemy, which pin other packages than we do."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed beside this Python")
    place = INSTALLED / "analysts"
    python = place / "venv" / "bin" / "python"
    make = (uv, "venv", "--quiet", "--python", sys.executable, "venv")
    fill = (uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "analysts.txt")
    install_once(ROOT / "requirements" / "analysts.txt", place, make, fill)
    return python


@pytest.fixture(scope="session")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of `programs/go`, compiled."""
    if (go := shutil.which("go")) is None:
        pytest.skip("go is not installed")
    program = tmp_path_factory.mktemp("go") / "story"
    built = run(go, "build", "-o", program, ".", cwd=PROGRAMS / "go", timeout_s=600)
    if built.returncode != 0:
        pytest.skip(f"go build: {built.stdout[-300:]}")
    return program

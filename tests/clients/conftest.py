"""The generators, installed once below `.clients/` at the versions that are pinned here.

Where Node or a package registry cannot be had, the tests that need them are skipped and say so.
"""

import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
INSTALLED = ROOT / ".clients"
INSTALL_TIMEOUT_S = 120


def run(
    *command: str | Path, cwd: Path, timeout_s: float = 120
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end; what it says on either stream is in `stdout`."""
    return subprocess.run(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def install_once(pins: Path, place: Path, *commands: tuple[str | Path, ...]) -> Path:
    """`place` as the commands leave it, beside a copy of `pins`; they run again when those change."""
    stamp, version = place / ".installed", sha256(pins.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == version:
        return place
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    shutil.copy(pins, place)
    for command in commands:
        try:
            done = run(*command, cwd=place, timeout_s=INSTALL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pytest.skip(f"{command[0]} was not done in {INSTALL_TIMEOUT_S} s")
        if done.returncode != 0:
            pytest.skip(f"{' '.join(map(str, command))}: {done.stdout[-300:]}")
    stamp.write_text(version)
    return place


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The folder of the packages that package.json names."""
    if shutil.which("node") is None or (npm := shutil.which("npm")) is None:
        pytest.skip("node and npm are not installed")
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
    manifest = ("cp", HERE / "package.json", ".")
    place = INSTALLED / "node"
    install_once(HERE / "package-lock.json", place, manifest, (npm, "ci", *quiet))
    return place / "node_modules"


@pytest.fixture(scope="session")
def python_generator() -> Path:
    """The `bin` folder of an environment of its own: the generator pins other packages than we do."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed beside this Python")
    place = INSTALLED / "python"
    python = place / "venv" / "bin" / "python"
    make = (uv, "venv", "--quiet", "--python", sys.executable, "venv")
    fill = (uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "clients.txt")
    install_once(ROOT / "requirements" / "clients.txt", place, make, fill)
    return python.parent

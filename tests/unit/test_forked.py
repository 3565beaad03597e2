"""A forked process is as one that a shell has started."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests import forked
from tests.processes import free_port, running_module


def test_it_has_its_own_arguments_environment_folder_input_and_exit_code(tmp_path: Path) -> None:
    environment = os.environ | {"EVENTS_HOME": "of-the-test", "COLUMNS": "200"}
    ran = forked.run("cli", ["status"], timeout_s=60, environment=environment, folder=tmp_path)
    assert ran.returncode == 3
    assert f"{tmp_path}/of-the-test" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_that_goes_on_is_ended_by_a_signal_and_its_exit_code_is_known(tmp_path: Path) -> None:
    port, printed = free_port(), tmp_path / "printed"
    arguments = ("--path", str(tmp_path), "--port", str(port))
    ready = f"http://127.0.0.1:{port}/healthz"
    with running_module("local.issuer", *arguments, ready=ready, output=printed) as process:
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
        with pytest.raises(httpx.TransportError):
            httpx.get(ready)
    assert printed.read_text()


def test_one_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match=r"local\.issuer ended with 2: .*--path"),
        running_module("local.issuer", "--port", "1", ready="http://127.0.0.1:9/"),
    ):
        pass

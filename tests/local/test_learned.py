"""What the JVM servers keep of a first run: made, used, and no condition of a start."""

import subprocess
from pathlib import Path

import psutil
import pytest

from local import java, learned
from tests.stack import Stack

VERSION = ("-XX:AOTMode=on", "-version")  # a cache that cannot be used is an error then


def test_servers_begin_with_what_they_have_learned(stack: Stack) -> None:
    processes = stack.refresh()["processes"]
    for name, server in (("kafka", "kafka"), ("sqs", "elasticmq")):
        argv = psutil.Process(processes[name]["pid"]).cmdline()
        assert f"-XX:AOTCache={learned.path(server)}" in argv


def test_a_server_learns_in_a_run_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, older = tmp_path / "elasticmq-new.aot", tmp_path / "elasticmq-older.aot"
    older.touch()
    monkeypatch.setattr(learned, "path", lambda _: file)
    assert learned.options("elasticmq") == []
    learned.learn("elasticmq")
    assert list(tmp_path.iterdir()) == [file]
    used = subprocess.run(java.command("elasticmq", "64m", VERSION), timeout=60, check=False)
    assert used.returncode == 0


def test_a_server_that_does_not_run_has_learned_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "path", lambda server: tmp_path / f"{server}.aot")
    monkeypatch.setitem(learned.MODULES, "kafka", "no_such_module")
    with pytest.raises(learned.NotLearned, match=r"kafka: .*no_such_module"):
        learned.learn("kafka")


def test_a_file_that_is_broken_keeps_no_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kafka.aot"
    file.write_bytes(b"cut off")
    monkeypatch.setattr(learned, "path", lambda _: file)
    started = subprocess.run(java.command("kafka", "64m", ["-version"]), timeout=60, check=False)
    assert started.returncode == 0

"""What the local stack says when something is wrong: which part, why, and what to do."""

import asyncio
import logging
import shutil
from pathlib import Path

import pytest

from bench.servers import free_port_base
from local import jars
from local.keeper import Keeper
from local.stack import Process
from local.state import ProcessState
from tests.stack import events


def test_a_server_that_dies_during_the_start_is_named_with_its_log(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "kafka").write_text("not a folder")
    answer = events("up", "--detach", "--port-base", str(free_port_base()), home=home)
    assert answer.returncode == 1
    assert "kafka ended while it started" in answer.stderr
    assert str(home / "logs" / "kafka.log") in answer.stderr
    assert "FileExistsError" in answer.stderr
    assert events("status", home=home).returncode == 3


@pytest.mark.parametrize("command", ["up", "down", "status", "reset"])
def test_a_state_file_that_cannot_be_read_is_named(tmp_path: Path, command: str) -> None:
    (tmp_path / "state.json").write_text('{"port_base": ')
    answer = events(command, home=tmp_path)
    assert answer.returncode == 1
    assert str(tmp_path / "state.json") in answer.stderr
    assert "Traceback" not in answer.stderr


async def test_a_process_that_keeps_ending_is_started_again_and_its_last_lines_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    noted: list[ProcessState] = []
    process = Process("broken", "no_such_module")
    keeper = Keeper(process, tmp_path / "broken.log", {}, lambda _, now: noted.append(now))

    async def until_reported() -> None:
        keeping = asyncio.create_task(keeper.keep())
        async with asyncio.timeout(60):
            while "No module named no_such_module" not in caplog.text:
                await asyncio.sleep(0.05)
        keeping.cancel()
        await asyncio.wait({keeping})

    with caplog.at_level(logging.WARNING):
        await until_reported()
    assert len({now.pid for now in noted}) == 3
    pauses = [record.args[2] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses == [0.5, 1.0, 2.0]


def test_a_jar_that_is_not_the_tested_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "INSTALLED", tmp_path)
    jar = jars.locked("kafka")[0]
    folder = tmp_path / "repository" / jar.groupId.replace(".", "/") / jar.artifactId / jar.version
    folder.mkdir(parents=True)
    served = folder / f"{jar.artifactId}-{jar.version}.jar"
    served.write_bytes(b"another jar")
    with pytest.raises(jars.JarMismatch, match=f"{jar.artifactId}.*{jar.sha256}"):
        list(jars.install([jar]))
    assert not served.exists()
    assert jar.sha256 in [missing.sha256 for missing in jars.missing()]


def test_an_incomplete_install_says_how_to_complete_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jars, "INSTALLED", tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError, match="not installed"):
        jars.class_path("kafka")

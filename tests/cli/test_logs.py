"""`events logs`: files of several forms merged by time, followed while they grow and are set aside."""

import json
from pathlib import Path

import pytest

from cli.log_files import LogFile, time_of
from tests.cli.conftest import Events
from tests.cli.terminal import Terminal


def entry(time: str, message: str, level: str = "info", **more: str) -> str:
    known = {"time": time, "level": level, "service": "api", "logger": "x", "message": message}
    return json.dumps(known | more) + "\n"


@pytest.fixture
def folder(events: Events, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TZ", "UTC")
    folder = events.home / "logs"
    folder.mkdir(exist_ok=True)
    first, last = (entry(f"2026-01-31T12:00:0{n}.000Z", f"{n}") for n in (0, 4))
    (folder / "api.log").write_text(first + last)
    (folder / "kafka.log").write_text(
        "[2026-01-31 12:00:02,500] INFO started\n  at a stack trace\n[2026-01-31 12:00:05,000] end\n"
    )
    return folder


def test_piped_the_lines_of_all_are_merged_by_time(events: Events, folder: Path) -> None:
    result = events("logs")
    assert result.exit_code == 0, result.output
    assert [line.split()[0] for line in result.stdout.splitlines()] == [
        "api", "kafka", "kafka", "api", "kafka",
    ]  # fmt: skip
    assert events("logs", "--lines", "1").stdout == f"{'kafka':<11} [2026-01-31 12:00:05,000] end\n"
    assert events("logs", "api").stdout == (folder / "api.log").read_text()
    assert events("logs", "api", "-n", "0").stdout == ""


def test_a_wrong_service_is_answered_with_the_right_ones(events: Events, folder: Path) -> None:
    result = events("logs", "kafak")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No log of kafak. Did you mean kafka? There are api, kafka." in result.stderr


def test_followed_on_a_terminal(events: Events, folder: Path) -> None:
    with Terminal("logs", "-f", "--home", str(events.home), TZ="Europe/Paris") as shown:
        shown.until("api         2026-01-31 13:00:04.000+01:00 info    4\n")
        assert "kafka         at a stack trace\n" in shown.seen
        with (folder / "api.log").open("a") as log:
            log.write(entry("2026-01-31T12:00:06.000Z", "bad\x1b", "error", exception="A:\n  b"))
        shown.until("error   bad\ufffd\nA:\n  b\n")
        (folder / "route.log").write_text("a new one\n")
        shown.until("route       a new one\n")
        shown.type("\x03")
        assert shown.end() == 130


def test_a_log_is_read_on_after_it_was_set_aside_and_waits_for_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    log = LogFile(path)
    assert list(log.read()) == []
    path.write_text("one\ntw")
    assert [line.text for line in log.read()] == ["one"]
    with path.open("a") as file:
        file.write("o\n")
    assert [line.text for line in log.read()] == ["two"]
    path.rename(tmp_path / "api.log.1")
    path.write_text("a new file\n")
    assert [line.text for line in log.read()] == ["a new file"]


def test_a_time_is_read_in_the_forms_that_programs_have() -> None:
    assert time_of(entry("2026-01-31T12:00:00.123Z", "x")) == 1769860800123
    assert time_of('{"time": 1}') == time_of("2026-13-31 12:00:00,000 x") == time_of("x") == 0

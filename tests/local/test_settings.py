"""`events up --set`: given once, told to the services, kept, shown; the shell's are not taken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bench.servers import free_port_base
from local import child, disk
from tests.stack import Stack, events

NAME, OTHER = "EVENTS_BATCH_ITEMS_MAX", "EVENTS_SUBSCRIPTIONS_PER_TENANT_MAX"


def told(stack: Stack, process: str) -> dict[str, str]:
    """The EVENTS_ variables that a running process of the stack has."""
    environment = psutil.Process(stack.pid(process)).environ()
    return {name: text for name, text in environment.items() if name.startswith("EVENTS_")}


def test_a_setting_is_told_kept_and_shown_and_the_shells_are_named(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", free_port_base())
    up = ("up", "--detach", "--port-base", str(stack.port_base))
    shell = os.environ | {"EVENTS_ACK_TIMEOUT_S": "9"}
    try:
        started = subprocess.run(
            [
                *(sys.executable, "-m", "cli", *up, "--home", str(stack.home)),
                *("--set", f"{NAME}=3", "--set", f"{OTHER}=7"),
            ],
            env=shell, capture_output=True, text=True, timeout=180, check=False,
        )  # fmt: skip
        assert started.returncode == 0, started.stderr
        assert "Not taken from this shell: EVENTS_ACK_TIMEOUT_S." in started.stderr
        assert f"set: {NAME}=3" in started.stdout
        assert stack.refresh()["settings"] == {NAME: "3", OTHER: "7"}
        assert told(stack, "api")[NAME] == "3"
        assert told(stack, "api")[OTHER] == "7"
        assert "EVENTS_ACK_TIMEOUT_S" not in told(stack, "api")

        stack.kill("api")  # the supervisor starts it again
        assert told(stack, "api")[NAME] == "3"

        other = events("up", "--detach", "--set", f"{NAME}=4", home=stack.home)
        assert other.returncode == 1
        assert f"other settings. Stop it first: events down --home {stack.home}" in other.stderr
        for command in (("post", "examples/event.json"), ("status",), ("down",), ("up",)):
            wrong = events(*command, "--port-base", "29999", home=stack.home)
            assert wrong.returncode == 1
            assert f"{stack.home} has the ports from {stack.port_base} on, not" in wrong.stderr

        assert events("down", home=stack.home).returncode == 0
        stopped = json.loads(events("status", "--json", home=stack.home).stdout)
        assert stopped["settings"] == {NAME: "3", OTHER: "7"}
        posted = events("sql", "SELECT 1", home=stack.home)
        assert posted.returncode == 1
        assert f"The stack in {stack.home} does not run" in posted.stderr

        assert events(*up, "--unset", OTHER, home=stack.home).returncode == 0
        assert stack.refresh()["settings"] == {NAME: "3"}
        assert told(stack, "api")[NAME] == "3"
        assert OTHER not in told(stack, "api")
    finally:
        events("down", home=stack.home)


def test_a_password_is_kept_for_the_owner_alone_and_not_shown(tmp_path: Path) -> None:
    from local import settings

    settings.keep(tmp_path, {"EVENTS_KAFKA__SASL_PASSWORD": "secret"})
    assert settings.kept(tmp_path) == {"EVENTS_KAFKA__SASL_PASSWORD": "secret"}
    assert (tmp_path / settings.FILE).stat().st_mode & 0o077 == 0
    assert "secret" not in events("status", home=tmp_path).stdout


def test_a_servers_log_of_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "clickhouse.log"
    log.write_text("Code: 243. DB::Exception: ... (NOT_ENOUGH_SPACE)\n" * 20)
    assert child.log_tail(log).startswith("The disk is full: ")
    assert child.log_tail(log).count("\n") == 0
    assert "NOT_ENOUGH_SPACE" not in child.log_tail(log)
    log.write_text("another reason\n")
    assert "another reason" in child.log_tail(log)


def test_a_start_on_a_full_disk_says_so_once(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(tmp_path)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        answer = events("up", "--detach", "--port-base", str(free_port_base()), home=tmp_path / "h")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert answer.returncode == 1
    assert answer.stderr.count("The disk is full: ") == 1
    assert len(answer.stderr.splitlines()) == 1
    assert disk.START_BYTES_MIN > 512 * 1024

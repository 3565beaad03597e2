"""Settings and the disk of a local stack: a password is its owner's, a full disk is said once."""

import os
import subprocess
from pathlib import Path

import pytest

from bench.servers import free_port_base
from local import child, disk, settings
from tests.stack import events


def test_a_password_is_kept_for_the_owner_alone_and_not_shown(tmp_path: Path) -> None:
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

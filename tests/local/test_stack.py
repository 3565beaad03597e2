"""The local stack as a person meets it: starts, says what is wrong."""

import os
import socket
from pathlib import Path

import httpx
import psutil
import pytest

from tests import forked
from tests.stack import Stack, events, eventually


def test_a_taken_port_is_named_with_a_way_out(tmp_path: Path, stack: Stack) -> None:
    answer = events("up", "--detach", "--port-base", str(stack.port_base), home=tmp_path)
    assert answer.returncode == 1
    assert f"{stack.port_base}" in answer.stderr
    assert "--port-base" in answer.stderr


def test_up_of_a_running_stack_shows_it_and_succeeds(stack: Stack) -> None:
    answer = events("up", "--detach", home=stack.home)
    assert answer.returncode == 0
    assert stack.api in answer.stdout


def test_a_running_stack_is_not_reset(stack: Stack) -> None:
    answer = events("reset", "--yes", home=stack.home)
    assert answer.returncode == 1
    assert "events down" in answer.stderr


def test_nothing_running_is_told_by_message_and_exit_code(tmp_path: Path) -> None:
    answer = events("status", home=tmp_path)
    assert answer.returncode == 3
    assert "events up" in answer.stderr


@pytest.mark.parametrize(
    "command", ["up", "down", "status", "reset", "post", "get", "sql", "tail", "token"]
)
def test_every_command_explains_itself_and_takes_home_and_ports(command: str) -> None:
    wide = os.environ | {"COLUMNS": "200"}
    answer = forked.run("cli", [command, "--help"], timeout_s=60, environment=wide)
    assert answer.returncode == 0, answer.stderr
    shown = answer.stdout
    assert "--home" in shown
    assert "--port-base" in shown


@pytest.mark.parametrize("processor", ["materialize", "route", "ledger"])
def test_the_status_says_where_a_processor_answers_probes(stack: Stack, processor: str) -> None:
    url = stack.refresh()[processor]
    assert httpx.get(f"{url}/healthz", timeout=60).text == "ok\n"
    eventually(lambda: httpx.get(f"{url}/readyz", timeout=60).json()["waiting_for"] == [])
    metrics = httpx.get(f"{url}/metrics", timeout=60)
    assert metrics.headers["content-type"].startswith("text/plain; version=")
    assert f'events_seconds_until_loss{{group="events.{processor}",partition="0"}}' in metrics.text


def test_the_servers_listen_on_loopback_only(stack: Stack) -> None:
    pids = {each["pid"] for each in stack.refresh()["processes"].values()}
    listening = [
        connection.laddr.ip
        for pid in pids
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(listening) >= 7
    assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}
    with socket.socket() as probe:  # and something does answer there
        probe.connect(("127.0.0.1", stack.port_base))

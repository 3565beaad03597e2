"""A home from its first start to its reset, each start after another end: `down`, a kill, Ctrl-C.

Settings are given once, told to the services, kept and shown; the shell's are not taken. What was
accepted is there after each start. One story, since each start takes a quarter of a minute.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from bench.servers import free_port_base
from tests.builders import an_event
from tests.processes import START_TIMEOUT_S
from tests.stack import Stack, events, eventually

ROOT = Path(__file__).parent.parent.parent
NAME, OTHER = "EVENTS_BATCH_ITEMS_MAX", "EVENTS_SUBSCRIPTIONS_PER_TENANT_MAX"
STOP_S = 90.0


def told(stack: Stack, process: str) -> dict[str, str]:
    """The EVENTS_ variables that a running process of the stack has."""
    environment = psutil.Process(stack.pid(process)).environ()
    return {name: text for name, text in environment.items() if name.startswith("EVENTS_")}


def up(stack: Stack, *options: str) -> "subprocess.CompletedProcess[str]":
    ports = ("--port-base", str(stack.port_base))
    return events("up", "--detach", *ports, *options, home=stack.home)


def pids(stack: Stack) -> list[int]:
    return [each["pid"] for each in stack.refresh()["processes"].values()]


def test_a_home_from_its_first_start_to_its_reset(tmp_path: Path) -> None:
    stack = Stack(tmp_path / "home", free_port_base())
    try:
        started_with_settings(stack)
        refused_while_it_runs(stack)
        event = accepted(stack)
        stopped_it_says_so(stack)

        assert up(stack, "--unset", OTHER).returncode == 0
        assert stack.refresh()["settings"] == {NAME: "3"}
        assert told(stack, "api")[NAME] == "3"
        assert OTHER not in told(stack, "api")
        kept(stack, event)

        orphans = pids(stack)
        os.kill(
            json.loads((stack.home / "state.json").read_text())["supervisor"]["pid"], signal.SIGKILL
        )
        eventually(
            lambda: events("status", home=stack.home).returncode, until=lambda code: code == 3
        )
        with made_up(stack):
            assert not any(psutil.pid_exists(pid) for pid in orphans)
            assert stack.status["settings"] == {NAME: "3"}
            kept(stack, event)
            [message] = stack.sqs().receive_message(QueueUrl=queue(stack), WaitTimeSeconds=5)[
                "Messages"
            ]
            assert message["Body"] == "kept"
        assert events("status", home=stack.home).returncode == 3
    finally:
        events("down", home=stack.home)
    assert events("reset", "--yes", home=stack.home).returncode == 0
    assert not stack.home.exists()


def started_with_settings(stack: Stack) -> None:
    """As a person starts it, in a shell that has a variable of ours."""
    argv = [sys.executable, "-m", "cli", "up", "--detach", "--home", str(stack.home)]
    argv += ["--port-base", str(stack.port_base), "--set", f"{NAME}=3", "--set", f"{OTHER}=7"]
    started = subprocess.run(
        argv, env=os.environ | {"EVENTS_ACK_TIMEOUT_S": "9"},
        capture_output=True, text=True, timeout=2 * START_TIMEOUT_S, check=False,
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


def refused_while_it_runs(stack: Stack) -> None:
    other = events("up", "--detach", "--set", f"{NAME}=4", home=stack.home)
    assert other.returncode == 1
    assert f"other settings. Stop it first: events down --home {stack.home}" in other.stderr
    for command in (("post", "examples/event.json"), ("status",), ("down",), ("up",)):
        wrong = events(*command, "--port-base", "29999", home=stack.home)
        assert wrong.returncode == 1
        assert f"{stack.home} has the ports from {stack.port_base} on, not" in wrong.stderr


def queue(stack: Stack) -> str:
    return str(stack.sqs().get_queue_url(QueueName="kept")["QueueUrl"])


def accepted(stack: Stack) -> httpx.Response:
    """A message in a queue and an event that is found: its GET."""
    stack.sqs().create_queue(QueueName="kept")
    stack.sqs().send_message(QueueUrl=queue(stack), MessageBody="kept")
    with stack.client() as client:
        posted = client.post("/api/v1/events", json=an_event())
        return client.get(posted.headers["Location"]).raise_for_status()


def kept(stack: Stack, event: httpx.Response) -> None:
    with stack.client() as client:
        assert client.get(event.url.path).content == event.content


def stopped_it_says_so(stack: Stack) -> None:
    assert events("down", home=stack.home).returncode == 0
    stopped = json.loads(events("status", "--json", home=stack.home).stdout)
    assert stopped["settings"] == {NAME: "3", OTHER: "7"}
    asked = events("sql", "SELECT 1", home=stack.home)
    assert asked.returncode == 1
    assert f"The stack in {stack.home} does not run" in asked.stderr


@contextmanager
def made_up(stack: Stack) -> Iterator[None]:
    """`make up` as a person types it; at the end Ctrl-C stops all of it."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    environment |= {"EVENTS_HOME": str(stack.home), "EVENTS_PORT_BASE": str(stack.port_base)}
    with subprocess.Popen(
        ["make", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as make:  # fmt: skip
        try:
            eventually(
                stack.refresh,
                until=lambda status: status["phase"] == "running" or make.poll() is not None,
                within_s=2 * START_TIMEOUT_S,
            )
            with stack.client() as client:
                assert client.get("/readyz").status_code == 200
            running = pids(stack)
            yield
        finally:
            os.killpg(make.pid, signal.SIGINT)  # the terminal's Ctrl-C reaches the whole group
            printed, _ = make.communicate(timeout=STOP_S)
    assert stack.api in printed
    assert "events post examples/event.json" in printed
    assert "Stopped." in printed
    assert not any(psutil.pid_exists(pid) for pid in running)

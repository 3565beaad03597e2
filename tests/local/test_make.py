"""`make up` as a person types it: everything runs, Ctrl-C stops all of it."""

import os
import signal
import subprocess
from pathlib import Path

import psutil

from bench.servers import free_port_base
from tests.stack import Stack, events, eventually

ROOT = Path(__file__).parent.parent.parent


def test_make_up_starts_everything_and_ctrl_c_stops_it(tmp_path: Path) -> None:
    home, base = tmp_path / "home", free_port_base()
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    environment |= {"EVENTS_HOME": str(home), "EVENTS_PORT_BASE": str(base)}
    with subprocess.Popen(
        ["make", "up"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True,
    ) as make:  # fmt: skip
        eventually(lambda: events("status", home=home).returncode, until=lambda code: code == 0)
        stack = Stack(home, base)
        eventually(stack.refresh, until=lambda status: status.get("phase") == "running")
        pids = [each["pid"] for each in stack.status["processes"].values()]
        with stack.client() as client:
            assert client.get("/readyz").status_code == 200
        os.killpg(make.pid, signal.SIGINT)  # the terminal's Ctrl-C reaches the whole group
        printed, _ = make.communicate(timeout=90)
    assert stack.api in printed
    assert "events post examples/event.json" in printed
    assert "Stopped." in printed
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert events("status", home=home).returncode == 3

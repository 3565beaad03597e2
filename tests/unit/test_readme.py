"""The front door is true: its settings are generated, its files exist, its commands run."""

import os
import re
import subprocess
import sys
from pathlib import Path

from cli.settings import as_markdown
from tests.stack import Stack

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
LOCAL_PORTS = {8800: "api", 8801: "clickhouse", 8802: "sqs", 8803: "issuer"}


def test_the_table_of_settings_is_what_the_models_say() -> None:
    begin, end = "<!-- settings: events settings --markdown -->\n", "<!-- end of settings -->"
    shown = README.partition(begin)[2].partition(end)[0]
    assert shown.strip() == as_markdown(), "put the output of `events settings --markdown` there"


def test_every_file_that_is_named_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    paths = re.findall(r"`((?:[a-z_]+/)+[a-z_]*\.?[a-z]*)`", README)
    missing = [name for name in {*links, *paths} if not (ROOT / name).exists()]
    assert missing == []


def test_the_first_events_journey_runs_as_it_is_written(stack: Stack) -> None:
    script = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
    for port, name in LOCAL_PORTS.items():
        script = script.replace(f"http://127.0.0.1:{port}", stack.status[name])
    script = script.replace("source .venv/bin/activate", "")
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "EVENTS_HOME": str(stack.home),
        "AWS_ENDPOINT_URL_SQS": stack.status["sqs"],
    }
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "HTTP/1.1 201 Created" in run.stdout
    assert run.stdout.count('"next":null}') == 1
    assert 'fault:       {"id":"12\\"}' in run.stdout
    received = run.stdout.rsplit("received_at", 1)[-1]
    assert '"event_type":"FAULT"' in received

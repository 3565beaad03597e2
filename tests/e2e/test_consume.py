"""Another consumer of the topic: the example reads what was posted, and goes on where it stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.builders import an_event
from tests.stack import Stack

ROOT = Path(__file__).parent.parent.parent


def consume(stack: Stack, group: str, limit: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "examples/consume.py", group, str(limit)],
        cwd=ROOT, env=os.environ | {"KAFKA_BOOTSTRAP_SERVERS": stack.status["kafka"]},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_example_reads_every_event_once_over_two_runs(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        posted = [client.post("/api/v1/events", json=an_event()).json() for _ in range(4)]
    group = f"example-{tenant}"
    ends = sum(
        row[0] for row in stack.sql("SELECT toUInt32(count()) FROM events")
    )  # at least these
    assert ends >= 0
    found: list[dict[str, Any]] = []
    while sum(event["tenant"] == tenant for event in found) < 4:
        found += consume(stack, group, 2)
    ours = [event for event in found if event.pop("tenant") == tenant]
    assert ours == posted

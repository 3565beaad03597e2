"""A processor as production runs it, `python -m processors NAME`: its log, exit code and probes."""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from local.stack import environment
from tests import forked
from tests.faults.scenario import Scenario
from tests.processes import ended, free_port

END_TIMEOUT_S = 60.0


@dataclass
class Whole:
    """One running processor."""

    child: forked.Forked
    log: Path
    url: str

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        return self.child.wait(END_TIMEOUT_S)

    def errors(self) -> list[dict[str, Any]]:
        """What it logged as an error of its own; there must be no traceback."""
        text = self.log.read_text()
        assert "Traceback" not in text, text
        logged = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return [
            each
            for each in logged
            if each["level"] == "error" and not each["logger"].startswith("aiokafka")
        ]

    def ready(self) -> tuple[int, list[str]]:
        """Status of /readyz and what it waits for; 0 while nobody answers."""
        try:
            answer = httpx.get(f"{self.url}/readyz", timeout=5)
        except httpx.TransportError:
            return 0, []
        return answer.status_code, answer.json()["waiting_for"]

    def metric(self, name: str) -> list[float]:
        """The samples of a metric, one for each set of labels."""
        try:
            answer = httpx.get(f"{self.url}/metrics", timeout=5)
        except httpx.TransportError as error:
            raise AssertionError(f"{error!r}; its log: {self.log.read_text()[-3000:]}") from error
        assert answer.status_code == httpx.codes.OK
        families = text_string_to_metric_families(answer.text)
        return [each.value for family in families for each in family.samples if each.name == name]


@contextlib.contextmanager
def whole(story: Scenario, name: str, **settings: str) -> Iterator[Whole]:
    """The processor `name` on the servers and the table of `story`; ended with the context."""
    port, log = free_port(), story.servers.logs / f"{name}-{uuid.uuid4().hex}.log"
    given = {
        "EVENTS_PROBES__PORT": str(port),
        "EVENTS_CLICKHOUSE__DATABASE": story.database,
        "EVENTS_BATCH_WAIT_MS": "5",
        "EVENTS_BACKOFF_MAX_S": "0.1",
        "EVENTS_RETRY_PAUSE_MAX_S": "0.1",
    }
    told = os.environ | environment(story.servers.ports) | given | settings
    log.touch()
    child = forked.start("processors", [name], told, log)
    with ended(child):
        yield Whole(child, log, f"http://127.0.0.1:{port}")

"""An event that its queue is too small for arrives whole: as a claim check, and by GET."""

import base64
import os
import subprocess
import sys
from pathlib import Path

from tests.builders import a_payload, an_event
from tests.stack import Stack, eventually
from tests.subscribed import create_queue, subscribe

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_large_event_is_claimed(stack: Stack, tenant: str) -> None:
    queue = f"large-{tenant}"
    create_queue(stack, queue)
    text = base64.b64encode(b'"' + b"x" * 250_000 + b'"').decode()
    payload = a_payload(base64_encoded_payload_json=text)
    with stack.client(tenant) as client:
        subscribe(client, queue)
        posted = client.post("/api/v1/events", json=an_event(event_payload=payload))
        assert posted.status_code == 201, posted.text
    assert len(posted.content) > 262_144  # what is assumed of ElasticMQ's queues
    settings = {
        "AWS_ENDPOINT_URL_SQS": stack.status["sqs"],
        "EVENTS_API": stack.api,
        "TOKEN": stack.headers(tenant)["Authorization"].removeprefix("Bearer "),
    }

    def received() -> str:
        answer = subprocess.run(
            [sys.executable, "claim_checks.py", queue], cwd=EXAMPLES, env=os.environ | settings,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert answer.returncode == 0, answer.stderr
        return answer.stdout

    assert eventually(received) == posted.text + "\n"

"""The examples without a token, arguments or a stack: what is missing, in a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("argv", "variables", "said"),
    [
        (["post_batch.py"], {"TOKEN": "x"}, "Usage: TOKEN=$(events token)"),
        (["post_batch.py", "event.json", "n"], {}, "Usage: TOKEN=$(events token)"),
        (["post_batch.py", "nothing.json", "n"], {"TOKEN": "x"}, "nothing.json is no file."),
        (
            ["post_batch.py", "event.json", "n"],
            {"TOKEN": "x", "EVENTS_API": NOBODY},
            "again in 8 s\nNo answer",
        ),
        (["receive.py", "soon"], {}, "Usage: python examples/receive.py [SECONDS"),
        (["receive.py"], {"AWS_ENDPOINT_URL_SQS": NOBODY}, "Is the stack up? events status"),
        (["claim_checks.py", "q"], {}, "Usage: TOKEN=$(events token)"),
        (
            ["claim_checks.py", "q"],
            {"TOKEN": "x", "AWS_ENDPOINT_URL_SQS": NOBODY},
            "Is the stack up? events status",
        ),
        (["consume.py", "--kafka", "127.0.0.1:9"], {}, "Is the stack up? events status"),
    ],
)
def test_an_example_says_what_is_missing(
    argv: list[str], variables: dict[str, str], said: str
) -> None:
    environment = {name: text for name, text in os.environ.items() if name != "TOKEN"}
    answer = subprocess.run(
        [sys.executable, *argv], cwd=EXAMPLES, env=environment | variables,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert answer.returncode == 1
    assert said in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_example_for_curl_says_what_is_missing() -> None:
    answer = subprocess.run(
        ["bash", "post_batch.sh"], cwd=EXAMPLES, capture_output=True, text=True, timeout=60,
        env={name: text for name, text in os.environ.items() if name != "TOKEN"}, check=False,
    )  # fmt: skip
    assert answer.returncode != 0
    assert "Usage: TOKEN=$(events token) examples/post_batch.sh FILE NAME" in answer.stderr

"""A consumer of claim checks: gets the whole event, and tells what is not it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts.deliveries import claim_check
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs.queues import SqsQueues
from service.connections import SqsConnection
from tests.fakes.sqs import StrictSqs
from tests.processes import served
from tests.queues import arn
from tests.sqs import a_delivery

EXAMPLES = Path(__file__).parents[2] / "examples"
LARGE = a_delivery(1, '"' + "ü" * 1000 + '"')
PATH = f"/api/v1/events/{LARGE.attributes['event_id']}"


class Api:
    """Answers GET of the event with `body`; `asked` are tenant, path and token."""

    def __init__(self) -> None:
        self.body = LARGE.body
        self.asked: list[tuple[str, str, str]] = []
        self.app = Starlette(routes=[Route("/{path:path}", self._answer)])

    async def _answer(self, request: Request) -> Response:
        given = request.headers
        self.asked.append((given["x-twc-tenant"], request.url.path, given["authorization"]))
        return Response(self.body, media_type="application/json")


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictSqs]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    with StrictSqs().served() as strict:
        strict.create("q", MaximumMessageSize="1024")
        yield strict


def consume(sqs: StrictSqs, api: str) -> "subprocess.CompletedProcess[str]":
    settings = {"AWS_ENDPOINT_URL_SQS": sqs.url, "EVENTS_API": api, "TOKEN": "secret"}
    return subprocess.run(
        [sys.executable, "claim_checks.py", "q"], cwd=EXAMPLES, env=os.environ | settings,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


async def send(sqs: StrictSqs, public_url: str) -> None:
    queues = SqsQueues(SqsConnection(endpoint_url=sqs.url), 1, public_url)
    small = a_delivery(2, '"small"')
    destination = SqsDestination(type="sqs", arn=arn("q"))
    assert {each.state for each in await queues.send(destination, [LARGE, small])} == {"sent"}
    await queues.close()


@pytest.mark.parametrize("is_absolute", [False, True])
async def test_the_whole_event_is_fetched_once(sqs: StrictSqs, is_absolute: bool) -> None:
    api = Api()
    with served(api.app) as url:
        await send(sqs, url if is_absolute else "")
        answer = consume(sqs, url)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines() == [LARGE.body, '"small"']
    assert api.asked == [("acme", PATH, "Bearer secret")]
    assert sqs.queues["q"].messages == []


async def test_another_body_is_not_taken_for_it(sqs: StrictSqs) -> None:
    api = Api()
    api.body = LARGE.body.replace("ü", "u", 1)
    with served(api.app) as url:
        await send(sqs, "")
        answer = consume(sqs, url)
    assert (answer.returncode, answer.stdout) == (1, '"small"\n')
    assert "is not the event that was delivered" in answer.stderr
    assert len(sqs.queues["q"].messages) == 1


async def test_the_token_is_sent_nowhere_else(sqs: StrictSqs) -> None:
    api, elsewhere = Api(), Api()
    with served(api.app) as url, served(elsewhere.app) as other:
        await send(sqs, other)
        answer = consume(sqs, url)
    assert answer.returncode == 1
    assert "is not the API that the token is for" in answer.stderr
    assert api.asked == elsewhere.asked == []


def test_a_claim_check_is_small_enough_for_any_queue() -> None:
    attributes = LARGE.attributes | {"tenant": "t" * 64, "event_source": "s" * 64}
    assert claim_check(LARGE._replace(attributes=attributes), "https://x.example").size_bytes < 1024

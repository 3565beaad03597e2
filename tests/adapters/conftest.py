"""Both servers of queues, side by side."""

from collections.abc import Iterator

import boto3
import pytest

from tests.fakes.sqs import StrictSqs
from tests.sqs import Server


@pytest.fixture(params=["strict", "elasticmq"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    if request.param == "elasticmq":
        stack = request.getfixturevalue("stack")
        yield Server(stack.status["sqs"], stack.sqs(), None)
        return
    with StrictSqs().served() as strict:
        client = boto3.client("sqs", region_name="eu-west-1", endpoint_url=strict.url)
        yield Server(strict.url, client, strict)

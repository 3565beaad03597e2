"""What is found of a queue from outside: findings with AWS's codes, against the strict SQS."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.paths import SUBSCRIPTIONS
from service.destinations import Destinations
from tests.fakes.edge import BODY, Edge
from tests.fakes.sqs import StrictSqs
from tests.queues import ACCOUNT, arn


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictSqs]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "local")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")
    with StrictSqs().served() as strict:
        yield strict


def edge(sqs: StrictSqs, checked: bool = False) -> Edge:
    destinations = Destinations(accounts={"*": (ACCOUNT,)}, checked=checked)
    return Edge(destinations=destinations, endpoint_url=sqs.url)


def found(sqs: StrictSqs, queue: str = "q", **asked: bool) -> dict[str, tuple[str, str, str]]:
    """What is found of the queue, by the check."""
    at = edge(sqs)
    made = at.create(destination={"type": "sqs", "arn": arn(queue)})
    answer = at.ask("POST", f"{made.headers['location']}/check", json=asked)
    assert answer.status_code == 200, answer.text
    told: Any = answer.json()
    findings = {
        each["check"]: (each["state"], each["code"], each["detail"]) for each in told["destination"]
    }
    assert told["passed"] is all(state != "failed" for state, _, _ in findings.values())
    return findings


@pytest.mark.parametrize("name", ["q", "q.fifo"])
def test_a_queue_that_fits_passes_and_a_test_is_sent_only_when_asked_for(
    sqs: StrictSqs, name: str
) -> None:
    queue = sqs.create(name, KmsMasterKeyId="alias/mine", MaximumMessageSize="262144")
    told = found(sqs, name)
    assert {check: state for check, (state, _, _) in told.items()} == {
        **dict.fromkeys(("exists", "fifo", "size", "encryption"), "passed"),
        "may_send": "unknown",
    }
    assert "262,144 bytes" in told["size"][2]
    assert "alias/mine" in told["encryption"][2]
    assert queue.taken == []
    assert found(sqs, name, send_test=True)["may_send"][0] == "passed"
    (sent,) = queue.taken
    assert sent["MessageAttributes"]["test"]["StringValue"] == "true"
    assert json.loads(sent["MessageBody"])["test"] is True


def test_a_queue_that_is_not_there(sqs: StrictSqs) -> None:
    assert found(sqs)["exists"][:2] == ("failed", "QueueDoesNotExist")


def test_a_fifo_queue_that_is_none(sqs: StrictSqs) -> None:
    sqs.create("q.fifo", FifoQueue="false")
    assert found(sqs, "q.fifo")["fifo"][0] == "failed"


@pytest.mark.parametrize(
    ("operation", "check", "state"),
    [
        ("GetQueueUrl", "exists", "failed"),
        ("GetQueueAttributes", "size", "unknown"),
        ("SendMessage", "may_send", "failed"),
    ],
)
def test_what_is_denied(sqs: StrictSqs, operation: str, check: str, state: str) -> None:
    sqs.create("q")
    sqs.denied = {operation}
    assert found(sqs, send_test=True)[check][:2] == (state, "AccessDenied")


def test_a_server_that_fails_is_no_fault_of_the_queue(sqs: StrictSqs) -> None:
    sqs.create("q")
    sqs.unanswered = {"GetQueueUrl"}
    assert found(sqs)["exists"][:2] == ("unknown", "ServiceUnavailable")
    with sqs.away():
        assert found(sqs)["exists"][0] == "unknown"


def test_without_credentials_nothing_is_known(
    sqs: StrictSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert found(sqs)["exists"][:2] == ("unknown", "NoCredentialsError")


def test_a_queue_that_fails_is_not_stored_where_the_operator_has_it_checked(sqs: StrictSqs) -> None:
    at = edge(sqs, checked=True)
    refused = at.ask("POST", SUBSCRIPTIONS, json=BODY)
    assert (refused.status_code, refused.json()["code"]) == (403, "queue-exists")
    sqs.create("q")
    assert at.create().status_code == 201


def test_a_queue_that_says_no_limit_is_not_said_to_take_nothing(
    sqs: StrictSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ElasticMQ, which the local stack runs, does not say one."""
    sqs.create("q")
    silent: dict[str, Any] = {"Attributes": {}}
    monkeypatch.setattr(sqs, "_get_queue_attributes", lambda body: silent)
    state, _, detail = found(sqs)["size"]
    assert (state, "does not say" in detail) == ("passed", True)

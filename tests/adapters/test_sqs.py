"""What the router sends arrives as it was meant: on a strict SQS of our own, and on ElasticMQ.

What ElasticMQ cannot be asked says why, beside the test.
"""

import json
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from contracts.deliveries import Delivery
from contracts.subscriptions import SqsDestination
from processors.deliver.destinations.sqs.queues import SqsQueues
from processors.deliver.outcomes import Outcome
from service.connections import SqsConnection
from tests.fakes.sqs import StrictSqs
from tests.queues import arn

PUBLIC = "https://events.example.com"


@dataclass
class Server:
    """A server of queues, and boto3's client of it as a consumer has it."""

    url: str
    client: Any
    strict: StrictSqs | None

    def create(self, kind: str = "", **attributes: str) -> SqsDestination:
        """A new queue; `kind` is empty or `.fifo`."""
        name = f"q-{uuid.uuid4().hex[:12]}{kind}"
        fifo = {"FifoQueue": "true"} if kind else {}
        self.client.create_queue(QueueName=name, Attributes=fifo | attributes)
        return SqsDestination(type="sqs", arn=arn(name))

    def received(self, destination: SqsDestination) -> list[dict[str, Any]]:
        """All messages, deleted, in the order of their coming."""
        url = self.client.get_queue_url(QueueName=destination.queue)["QueueUrl"]
        found: list[dict[str, Any]] = []
        while batch := self.client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):
            for each in batch:
                self.client.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            found += batch
        return found


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


@pytest.fixture
async def queues(server: Server) -> AsyncIterator[SqsQueues]:
    made = SqsQueues(SqsConnection(endpoint_url=server.url), 4, PUBLIC)
    yield made
    await made.close()


def a_delivery(
    number: int = 0, body: str = '{"a":1}', subscription: str = "one", **more: Any
) -> Delivery:
    event_id = f"01a20d33-994f-74a1-8936-{number:012}"
    attributes = {"tenant": "acme", "event_id": event_id, "subscription_id": subscription}
    return Delivery(body, attributes, "acme:order-1", (0, number), **more)


def states(outcomes: list[Outcome]) -> list[str]:
    return [each.state for each in outcomes]


async def test_messages_arrive_whole_and_each_outcome_has_its_message_id(
    server: Server, queues: SqsQueues
) -> None:
    destination = server.create()
    sent = [a_delivery(n, json.dumps({"n": n, "text": "straße 🚚 \\ufffe"})) for n in range(10)]
    outcomes = await queues.send(destination, sent)
    assert states(outcomes) == ["sent"] * 10
    assert [each.delivery for each in outcomes] == sent
    received = server.received(destination)
    assert {each["MessageId"]: each["Body"] for each in received} == {
        each.message_id: each.delivery.body for each in outcomes
    }
    for message in received:
        texts = {name: each["StringValue"] for name, each in message["MessageAttributes"].items()}
        assert texts in [each.attributes for each in sent]


async def test_more_than_a_batch_is_sent_in_order(server: Server, queues: SqsQueues) -> None:
    destination = server.create(".fifo")
    sent = [a_delivery(n, str(n)) for n in range(25)]
    assert states(await queues.send(destination, sent)) == ["sent"] * 25
    assert [each["Body"] for each in server.received(destination)] == [str(n) for n in range(25)]


async def test_one_fifo_queue_takes_two_subscriptions_and_a_replay_and_drops_a_repeat(
    server: Server, queues: SqsQueues
) -> None:
    destination = server.create(".fifo")
    first, second = a_delivery(), a_delivery(subscription="two")
    replayed = a_delivery(replay_id="r-1")
    outcomes = await queues.send(destination, [first, second, replayed, first, replayed])
    assert states(outcomes) == ["sent"] * 5
    received = server.received(destination)
    assert len(received) == 3
    assert {each["Attributes"]["MessageGroupId"] for each in received} == {first.group}


async def test_a_message_over_the_queues_limit_goes_as_a_claim_check(
    server: Server, queues: SqsQueues
) -> None:
    destination = server.create(MaximumMessageSize="2048")
    small, large = a_delivery(1, '"' + "x" * 1000 + '"'), a_delivery(2, '"' + "ü" * 1000 + '"')
    assert states(await queues.send(destination, [small, large])) == ["sent", "sent"]
    bodies = {
        each["MessageAttributes"]["event_id"]["StringValue"]: each
        for each in server.received(destination)
    }
    assert bodies[small.attributes["event_id"]]["Body"] == small.body
    check = bodies[large.attributes["event_id"]]
    assert check["MessageAttributes"]["claim_check"]["StringValue"] == "true"
    body = json.loads(check["Body"])
    assert body["url"] == f"{PUBLIC}/api/v1/events/{large.attributes['event_id']}"
    assert body["size_bytes"] == 2002


async def test_a_queue_that_does_not_exist_is_told_and_found_once_it_does(
    server: Server, queues: SqsQueues
) -> None:
    destination = SqsDestination(type="sqs", arn=arn(f"q-{uuid.uuid4().hex[:12]}"))
    [outcome] = await queues.send(destination, [a_delivery()])
    assert (outcome.state, outcome.code) == ("not_now", "QueueDoesNotExist")
    server.client.create_queue(QueueName=destination.queue)
    assert states(await queues.send(destination, [a_delivery()])) == ["sent"]


async def test_a_queue_that_is_deleted_and_made_anew_is_sent_to_again(
    server: Server, queues: SqsQueues
) -> None:
    destination = server.create()
    assert states(await queues.send(destination, [a_delivery()])) == ["sent"]
    if server.strict is not None:
        del server.strict.queues[destination.queue]
    else:
        url = server.client.get_queue_url(QueueName=destination.queue)["QueueUrl"]
        server.client.delete_queue(QueueUrl=url)
    [outcome] = await queues.send(destination, [a_delivery()])
    assert (outcome.state, outcome.code) == ("not_now", "QueueDoesNotExist")
    server.client.create_queue(QueueName=destination.queue)
    assert states(await queues.send(destination, [a_delivery()])) == ["sent"]


async def test_one_message_that_holds_what_sqs_refuses_is_never_sent_and_the_others_are(
    server: Server, queues: SqsQueues
) -> None:
    destination = server.create()
    sent = [a_delivery(n, "a\x00b" if n == 3 else "fine") for n in range(10)]
    outcomes = await queues.send(destination, sent)
    assert states(outcomes) == ["never" if n == 3 else "sent" for n in range(10)]
    assert outcomes[3].code
    assert len(server.received(destination)) == 9

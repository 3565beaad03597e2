"""What the router sends arrives as it was meant: on a strict SQS of our own, and on ElasticMQ.

What ElasticMQ cannot be asked says why, beside the test.
"""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator

import pytest

from contracts.deliveries import Fairness
from contracts.destinations import SqsDestination
from processors.deliver.destinations.sqs.facts import BYTES_OF_OLD
from processors.deliver.destinations.sqs.queues import SqsQueues
from service.connections import SqsConnection
from tests.queues import arn
from tests.sqs import Server, a_delivery, states

PUBLIC = "https://events.example.com"


@pytest.fixture
async def queues(server: Server) -> AsyncIterator[SqsQueues]:
    made = SqsQueues(SqsConnection(endpoint_url=server.url), 4, PUBLIC)
    yield made
    await made.close()


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


@pytest.mark.parametrize("kind", ["", ".fifo"])
@pytest.mark.parametrize("fairness", ["none", "tenant", "entity"])
async def test_a_standard_queue_has_the_groups_of_its_fairness_a_fifo_queue_the_entitys(
    server: Server, queues: SqsQueues, fairness: Fairness, kind: str
) -> None:
    destination, sent = server.create(kind), a_delivery(fairness=fairness)
    assert states(await queues.send(destination, [sent])) == ["sent"]
    [received] = server.received(destination)
    groups = {"none": None, "tenant": "acme", "entity": sent.group}
    expected = sent.group if kind else groups[fairness]
    assert received["Attributes"].get("MessageGroupId") == expected


async def test_a_message_over_the_queues_limit_goes_as_a_claim_check(
    server: Server, queues: SqsQueues
) -> None:
    limit = 2048
    if server.strict is None:
        limit = BYTES_OF_OLD  # ElasticMQ keeps no MaximumMessageSize, so the least is assumed
    destination = server.create(MaximumMessageSize=str(limit))
    small = a_delivery(1, '"' + "x" * (limit // 2) + '"')
    large = a_delivery(2, '"' + "ü" * (limit // 2) + '"')  # twice the bytes
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
    assert body["size_bytes"] == limit + 2
    assert body["sha256"] == hashlib.sha256(large.body.encode()).hexdigest()


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

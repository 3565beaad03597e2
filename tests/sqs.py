"""SQS for tests: servers and their clients, deliveries, states."""

import uuid
from dataclasses import dataclass
from typing import Any

from contracts.deliveries import Delivery
from contracts.destinations import SqsDestination
from processors.deliver.outcomes import Outcome
from tests.fakes.sqs import StrictSqs
from tests.queues import arn


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


def a_delivery(
    number: int = 0, body: str = '{"a":1}', subscription: str = "one", **more: Any
) -> Delivery:
    event_id = f"01a20d33-994f-74a1-8936-{number:012}"
    attributes = {"tenant": "acme", "event_id": event_id, "subscription_id": subscription}
    return Delivery(body, attributes, "acme:order-1", (0, number), **more)


def states(outcomes: list[Outcome]) -> list[str]:
    return [each.state for each in outcomes]

"""A tenant's queue: made, subscribed and read."""

import httpx

from tests.stack import Stack


def create_queue(stack: Stack, name: str) -> str:
    return str(stack.sqs().create_queue(QueueName=name)["QueueUrl"])


def subscribe(client: httpx.Client, queue: str, **filter_: list[str]) -> str:
    body = {
        "name": queue,
        "filter": filter_,
        "destination": {"type": "sqs", "arn": f"arn:aws:sqs:eu-west-1:000000000000:{queue}"},
    }
    answer = client.post("/api/v1/subscriptions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def receive(stack: Stack, url: str) -> list[dict[str, object]]:
    answer = stack.sqs().receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
    )
    return list(answer.get("Messages", []))

"""Bad requests over real HTTP: the right code, a problem document, nothing in Kafka."""

import json
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.builders import a_payload, an_event
from tests.stack import Stack

Request = Callable[[httpx.Client, dict[str, str]], httpx.Response]


def post(body: bytes | str = b"", **changes: str | None) -> Request:
    """A POST with the usual headers but for `changes`; None leaves a header out."""

    def send(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
        given = dict(headers)
        for name, text in changes.items():
            given.pop(name.replace("_", "-"), None)
            if text is not None:
                given[name.replace("_", "-")] = text
        content = body or json.dumps(an_event())
        return client.post("/api/v1/events", content=content, headers=given)

    return send


def repeated(name: str) -> Request:
    def send(client: httpx.Client, headers: dict[str, str]) -> httpx.Response:
        pairs = [*headers.items(), (name, headers[name])]
        return client.post("/api/v1/events", content=json.dumps(an_event()), headers=pairs)

    return send


def subscribe(arn: str, **filter_: Any) -> Request:
    """A subscription whose queue is named by `arn`."""
    asked = {"name": "x", "filter": filter_, "destination": {"type": "sqs", "arn": arn}}
    return lambda client, headers: client.post("/api/v1/subscriptions", headers=headers, json=asked)


def ask(method: str, path: str) -> Request:
    return lambda client, headers: client.request(method, path, headers=headers)


LARGE = json.dumps(an_event(event_payload=a_payload(base64_encoded_payload_json="QUJD" * 300_000)))
CASES: dict[str, tuple[Request, int]] = {
    "broken JSON": (post(b'{"entity_id": '), 400),
    "a repeated tenant": (repeated("X-TWC-Tenant"), 400),
    "two authorizations": (repeated("Authorization"), 400),
    "no tenant": (post(X_TWC_Tenant=None), 400),
    "an idempotency key that is too long": (post(Idempotency_Key="k" * 256), 400),
    "no token": (post(Authorization=None), 401),
    "a token in the query too": (ask("GET", "/api/v1/events?access_token=abc"), 400),
    "a token in the query of a POST": (
        lambda client, headers: client.post(
            "/api/v1/events?a=b&access%5Ftoken=abc", json=an_event(), headers=headers
        ),
        400,
    ),
    "a subscription's id as a URN": (
        ask("GET", "/api/v1/subscriptions/urn:uuid:0190d8a4-0000-7000-8000-000000000000"),
        400,
    ),
    "a subscription's id without dashes": (
        ask("DELETE", "/api/v1/subscriptions/0190d8a4000070008000000000000000"),
        400,
    ),
    "an event's id in capitals": (
        ask("GET", "/api/v1/events/0190D8A4-0000-7000-8000-000000000000"),
        400,
    ),
    "a token of nobody": (post(Authorization="Bearer abc"), 401),
    "another tenant": (post(X_TWC_Tenant="somebody-else"), 403),
    "an unknown path": (ask("GET", "/api/v1/event"), 404),
    "a path with a double slash": (ask("GET", "//api/v1/events"), 404),
    "an event of nobody's": (
        ask("GET", "/api/v1/events/0190d8a4-0000-7000-8000-000000000000"),
        404,
    ),
    "an id that is SQL": (ask("GET", "/api/v1/events/1'%20OR%201=1"), 400),
    "a wrong method": (ask("PATCH", "/api/v1/events"), 405),
    "a body that breaks the contract": (post(json.dumps(an_event(event_type="ERROR"))), 405),
    "a body that is too large": (post(LARGE), 413),
    "no content type": (post(Content_Type=None), 415),
    "form data": (post(Content_Type="application/x-www-form-urlencoded"), 415),
    "UTF-16": (post(Content_Type="application/json; charset=utf-16"), 415),
    "an encoding that is not taken": (post(Content_Encoding="br"), 415),
    "an unknown destination": (subscribe(arn="http://169.254.169.254/"), 405),
    "a region that AWS does not have": (
        subscribe(arn="arn:aws:sqs:eu-west-9:000000000000:q"),
        405,
    ),
    "an operator that is not known": (
        subscribe(arn="arn:aws:sqs:eu-west-1:000000000000:q", event_type=[{"regex": "F"}]),
        405,
    ),
}


async def end_offsets(kafka: str) -> dict[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        partitions = [TopicPartition("events", number) for number in range(6)]
        ends = await consumer.end_offsets(partitions)
        return {each.partition: offset for each, offset in ends.items()}
    finally:
        await consumer.stop()


@pytest.mark.parametrize(("request_", "status"), CASES.values(), ids=CASES.keys())
async def test_a_bad_request_is_answered_with_a_problem_and_leaves_nothing_in_kafka(
    stack: Stack, tenant: str, request_: Request, status: int
) -> None:
    before = await end_offsets(stack.status["kafka"])
    with httpx.Client(base_url=stack.api, timeout=30) as client:
        answer = request_(client, stack.headers(tenant))
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert "Traceback" not in answer.text
    if status == 405:
        assert answer.headers["Allow"]
    if status == 413:
        assert problem["size"] > problem["limit"] > 0
    assert await end_offsets(stack.status["kafka"]) == before


def test_an_event_of_another_tenant_is_not_found(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, stack.client("somebody-else") as stranger:
        posted = client.post("/api/v1/events", json=an_event())
        assert client.get(posted.headers["Location"]).status_code == 200
        assert stranger.get(posted.headers["Location"]).status_code == 404


async def test_a_body_that_is_cut_off_leaves_nothing_in_kafka(stack: Stack, tenant: str) -> None:
    before = await end_offsets(stack.status["kafka"])
    host, port = stack.api.removeprefix("http://").split(":")
    head = "".join(f"{name}: {text}\r\n" for name, text in stack.headers(tenant).items())
    body = json.dumps(an_event())
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        request = (
            f"POST /api/v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        )
        connection.sendall(request.encode() + body.encode()[:-5])
    with stack.client(tenant) as client:  # a later request is answered: the first is over
        assert client.get("/healthz").status_code == 200
    assert await end_offsets(stack.status["kafka"]) == before

"""A server that is away: clear answers at once, nothing lost, everything there when it is back."""

import json
import time

import httpx

from tests.builders import an_event
from tests.edge import edge, impatient
from tests.stack import Stack, eventually
from tests.subscribed import create_queue, receive, subscribe

MANY = [an_event(entity_id=f"entity-{number}") for number in range(60)]  # in every partition


def ready(client: httpx.Client) -> tuple[int, list[str]]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()["waiting_for"]


def test_without_kafka_a_post_is_refused_in_time_and_readiness_says_why(
    stack: Stack, tenant: str
) -> None:
    with impatient(stack, tenant) as client, stack.client(tenant) as reader:
        with stack.freeze("kafka"):
            began_s = time.monotonic()
            answer = client.post("/api/v1/events", json=an_event())
            took_s = time.monotonic() - began_s
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert answer.json()["id"]  # its fate is unknown: the client can ask
            assert took_s < 30
            unknown, refused = (client.post("/api/v1/events:batch", json=MANY) for _ in range(2))
            for batch, named in ((unknown, True), (refused, False)):
                assert batch.status_code == 503
                problems = [item["problem"] for item in batch.json()["items"]]
                assert named == any("id" in problem for problem in problems)
                for problem in problems:
                    assert ("id" in problem) != problem["detail"].startswith("Nothing was stored")
            eventually(lambda: ready(client), until=lambda now: now == (503, ["kafka"]))
        eventually(lambda: ready(client), until=lambda now: now == (200, []))
        accepted = client.post("/api/v1/events", json=an_event())
        assert accepted.status_code == 201
        assert reader.get(accepted.headers["Location"]).content == accepted.content


def test_a_batch_is_answered_in_time_when_kafka_is_away(stack: Stack, tenant: str) -> None:
    lines, headers = (
        "{0}\n{0}\n".format(json.dumps(an_event())),
        {"Content-Type": "application/x-ndjson"},
    )
    with impatient(stack, tenant) as client:
        with stack.freeze("kafka"):
            answer = client.post("/api/v1/events:batch", content=lines, headers=headers)
            assert answer.status_code == 503
            assert answer.headers["Retry-After"]
            assert all(item["problem"]["id"] for item in answer.json()["items"])
        eventually(lambda: httpx.get(f"{stack.api}/readyz").status_code, until=lambda s: s == 200)


def test_without_clickhouse_events_are_accepted_and_appear_when_it_is_back(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        with stack.freeze("clickhouse"):
            answers = [client.post("/api/v1/events", json=an_event()) for _ in range(20)]
            assert {answer.status_code for answer in answers} == {201}
        eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (20, 20))
        assert client.get(answers[0].headers["Location"]).content == answers[0].content


def test_a_search_is_answered_in_time_when_clickhouse_hangs(stack: Stack, tenant: str) -> None:
    headers = stack.headers(tenant)
    with edge(stack, "query", SEARCH_TIMEOUT_S="0.5") as (port, _):
        url = f"http://127.0.0.1:{port}/api/v1/events"
        assert httpx.get(url, headers=headers, timeout=20).status_code == 200
        with stack.freeze("clickhouse"):
            hangs = httpx.get(url, headers=headers, timeout=20)
    assert hangs.status_code == 503
    assert hangs.headers["Retry-After"]
    assert hangs.elapsed.total_seconds() < 5


def test_without_sqs_events_are_accepted_and_delivered_when_it_is_back(
    stack: Stack, tenant: str
) -> None:
    queue = create_queue(stack, f"away-{tenant}")
    with stack.client(tenant) as client:
        subscribe(client, f"away-{tenant}", event_type=["ENTITY_EVENT"])
        with stack.freeze("sqs"):
            posted = client.post("/api/v1/events", json=an_event())
            assert posted.status_code == 201
    bodies = eventually(lambda: [message["Body"] for message in receive(stack, queue)])
    assert bodies[0] == posted.text


def test_a_queue_that_does_not_exist_delays_nobody_and_its_message_is_parked(
    stack: Stack, tenant: str
) -> None:
    queue = create_queue(stack, f"there-{tenant}")
    with stack.client(tenant) as client:
        subscribe(client, f"not-there-{tenant}", event_type=["FAULT"])
        subscribe(client, f"there-{tenant}", event_type=["FAULT"])
        posted = client.post("/api/v1/events", json=an_event(event_type="FAULT"))
    bodies = eventually(lambda: [message["Body"] for message in receive(stack, queue)])
    assert bodies == [posted.text]

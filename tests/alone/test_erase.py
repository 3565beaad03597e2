"""DELETE of an event on the whole stack: found no more, by nobody but whoever reads Kafka itself."""

import httpx
import pytest

from tests.builders import an_event
from tests.edge import impatient
from tests.stack import Stack, events, eventually
from tests.visible import visible

KEY = {"Idempotency-Key": "one"}


def posted(client: httpx.Client, **changes: object) -> str:
    """The path of an event that was accepted and is visible."""
    answer = client.post("/api/v1/events", json=an_event(**changes))
    assert answer.status_code == 201, answer.text
    path = str(answer.headers["Location"])
    visible(client, answer.json()["id"])
    return path


def found(client: httpx.Client) -> set[str]:
    """The paths of the events that a search finds."""
    answer = client.get("/api/v1/events")
    assert answer.status_code == 200, answer.text
    return {f"/api/v1/events/{event['id']}" for event in answer.json()["events"]}


def test_an_erased_event_is_found_no_more_and_the_others_are(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        kept, erased, of_the_same_entity = (
            posted(client, entity_id="a"),
            posted(client),
            posted(client),
        )
        answer = client.delete(erased)
        assert (answer.status_code, answer.content) == (204, b"")
        assert found(client) == {kept, of_the_same_entity}  # at once
        eventually(
            lambda: stack.counts(tenant), until=lambda counts: counts == (2, 2)
        )  # SQL follows
        gone = client.get(erased)
        assert (gone.status_code, gone.json()["detail"]) == (404, "There is no such event.")
        again = client.delete(erased)
        assert (again.status_code, again.json()) == (404, gone.json())
        assert client.get(kept).status_code == 200


def test_another_tenants_event_is_as_one_that_is_not_there(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, stack.client("somebody-else") as stranger:
        path = posted(client)
        answer = stranger.delete(path)
        assert answer.status_code == 404
        assert answer.json() == stranger.get(path).json()
        assert client.get(path).status_code == 200


def test_without_the_scope_nothing_is_erased(stack: Stack, tenant: str) -> None:
    token = events(
        "token", "--tenant", tenant, "--scope", "reading", home=stack.home
    ).stdout.strip()
    with stack.client(tenant) as client:
        path = posted(client)
        answer = client.delete(path, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403
        assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("event_id", "status"),
    [("4711", 400), ("0193a2b4-7c1e-7d3f-8a5b-2f6c9d0e1a2b", 404)],
)
def test_what_cannot_be_an_event_is_refused_as_by_get(
    stack: Stack, tenant: str, event_id: str, status: int
) -> None:
    with stack.client(tenant) as client:
        answer = client.delete(f"/api/v1/events/{event_id}")
        assert answer.status_code == status
        assert answer.json() == client.get(f"/api/v1/events/{event_id}").json()


def test_while_kafka_does_not_answer_the_event_stays(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, impatient(stack, tenant, "query") as eraser:
        path = posted(client)
        with stack.freeze("kafka"):
            answer = eraser.delete(path)
            assert answer.status_code == 503
            assert "Retry-After" in answer.headers
            assert client.get(path).status_code == 200

        def erased() -> bool:  # the first one may have reached Kafka after all
            return eraser.delete(path).status_code in (204, 404)

        eventually(erased)
        assert client.get(path).status_code == 404


def test_a_client_that_repeats_its_post_does_not_bring_the_event_back(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        first = client.post("/api/v1/events", json=an_event(), headers=KEY)
        assert client.delete(first.headers["Location"]).status_code == 204
        again = client.post("/api/v1/events", json=an_event(), headers=KEY)
        assert again.json()["id"] == first.json()["id"]
        behind_it = posted(client)  # of the same entity, so it is stored after the repeat
        assert found(client) == {behind_it}
        stack.kill("materialize")  # what is remembered is read from the table again
        client.post("/api/v1/events", json=an_event(), headers=KEY)
        behind_both = posted(client)
        assert found(client) == {behind_it, behind_both}


def test_a_tombstone_is_not_delivered_and_holds_nothing_up(stack: Stack, tenant: str) -> None:
    url = str(stack.sqs().create_queue(QueueName=f"all-{tenant}")["QueueUrl"])
    destination = {"type": "sqs", "arn": f"arn:aws:sqs:eu-west-1:000000000000:all-{tenant}"}

    def bodies() -> list[str]:
        answer = stack.sqs().receive_message(QueueUrl=url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    with stack.client(tenant) as client:
        subscription = {"name": "all", "filter": {}, "destination": destination}
        assert client.post("/api/v1/subscriptions", json=subscription).status_code == 201
        first = client.post("/api/v1/events", json=an_event())
        assert eventually(bodies) == [first.text]
        assert client.delete(first.headers["Location"]).status_code == 204
        second = client.post("/api/v1/events", json=an_event())
        assert eventually(bodies) == [second.text]

"""The main job on real servers: one POST becomes a record, a row and a message."""

import itertools

from tests.builders import SEED_SAMPLE, an_event, many_events
from tests.missing import missing
from tests.stack import Stack, eventually
from tests.subscribed import create_queue, receive, subscribe
from tests.visible import visible


def test_the_seeds_sample_is_posted_found_queried_and_received(
    any_stack: Stack, tenant: str
) -> None:
    queue = create_queue(any_stack, f"faults-{tenant}")
    with any_stack.client(tenant) as client:
        subscription = subscribe(client, f"faults-{tenant}", event_type=["FAULT"])

        posted = client.post("/api/v1/events", json=SEED_SAMPLE)
        assert posted.status_code == 201
        found = client.get(posted.headers["Location"])  # at once
        assert (found.status_code, found.content) == (200, posted.content)
        assert found.json()["event_payload"]["entity_id"] == SEED_SAMPLE["entity_id"]

        event_id = posted.json()["id"]
        visible(client, event_id)
        rows = any_stack.sql(f"SELECT payload, fault FROM events WHERE id = '{event_id}'")
        assert rows == [['{\n"id":"12",\n"reference":"12123"\n}', '{"id":"12\\"}']]

        messages = eventually(lambda: receive(any_stack, queue))
        assert [message["Body"] for message in messages] == [posted.text]
        attributes = messages[0]["MessageAttributes"]
        assert isinstance(attributes, dict)
        told = {name: value["StringValue"] for name, value in attributes.items()}
        assert told["event_id"] == event_id
        assert told["subscription_id"] == subscription


def test_an_event_that_the_filter_does_not_accept_is_not_delivered(
    any_stack: Stack, tenant: str
) -> None:
    queue = create_queue(any_stack, f"only-faults-{tenant}")
    with any_stack.client(tenant) as client:
        subscribe(client, f"only-faults-{tenant}", event_type=["FAULT"], event_source=["ORDER"])
        for event in (
            an_event(event_type="WARNING", event_source="ORDER"),
            an_event(event_type="FAULT", event_source="PRICE"),
        ):
            assert client.post("/api/v1/events", json=event).status_code == 201
        proof = client.post(  # of the same entity, so it is routed after the others
            "/api/v1/events", json=an_event(event_type="FAULT", event_source="ORDER")
        )
    messages = eventually(lambda: receive(any_stack, queue))
    assert [message["Body"] for message in messages] == [proof.text]


def test_subscriptions_are_created_listed_read_replaced_and_deleted(
    any_stack: Stack, tenant: str
) -> None:
    with any_stack.client(tenant) as client, any_stack.client("somebody-else") as stranger:
        subscription = subscribe(client, "a-queue", event_type=["FAULT"])
        path = f"/api/v1/subscriptions/{subscription}"
        shown = client.get(path).json()
        assert shown["filter"] == {"event_type": ["FAULT"]}
        assert client.get("/api/v1/subscriptions").json() == {"items": [shown], "next": None}
        assert stranger.get(path).status_code == 404
        assert stranger.delete(path).status_code == 404

        del shown["id"]
        replaced = client.put(path, json=shown | {"enabled": False})
        assert (replaced.status_code, replaced.json()["enabled"]) == (200, False)
        assert client.get(path).json() == replaced.json()

        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404
        assert client.put(path, json=shown).status_code == 404


def test_two_posts_under_one_idempotency_key_are_one_event(any_stack: Stack, tenant: str) -> None:
    key = {"Idempotency-Key": "order-4711"}
    with any_stack.client(tenant) as client:
        first = client.post("/api/v1/events", json=an_event(), headers=key)
        second = client.post("/api/v1/events", json=an_event(), headers=key)
        assert first.json()["id"] == second.json()["id"]
        assert client.get(first.headers["Location"]).content == first.content
    with any_stack.client("somebody-else") as stranger:
        third = stranger.post("/api/v1/events", json=an_event(), headers=key)
        assert third.json()["id"] != first.json()["id"]


def test_a_thousand_events_come_back_from_get_as_they_were_accepted(
    stack: Stack, tenant: str
) -> None:
    bodies = many_events(1000)
    with stack.client(tenant) as client:
        answers = [client.post("/api/v1/events", content=body) for body in bodies]
    assert {answer.status_code for answer in answers} == {201}
    accepted = {answer.json()["id"]: answer.content for answer in answers}
    eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (1000, 1000))
    assert list(itertools.islice(missing(stack, tenant, accepted), 3)) == []

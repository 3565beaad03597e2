"""Disabled, paused, enabled again, on the local stack: what was missed comes once, or not at all."""

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.e2e.test_send_again import EVENTS, EVER, SUBSCRIPTIONS, Customer, read_back
from tests.stack import Another, Stack, events, eventually
from tests.subscribed import create_queue, subscribe

COUNT = 12


@pytest.fixture(scope="module")
def stack(another: Another) -> Stack:
    """A stack that gives up after two seconds, and pauses after four."""
    return another.with_settings(
        "EVENTS_RETRY_FOR_S=2", "EVENTS_RETRY_PAUSE_MAX_S=1", "EVENTS_PAUSE_AFTER_S=4"
    )


@pytest.fixture
def customer(stack: Stack, tenant: str) -> Iterator[Customer]:
    with stack.client(tenant) as client:
        yield Customer(stack, tenant, client)


def shown(customer: Customer) -> Any:
    answer = customer.client.get(f"{SUBSCRIPTIONS}/{customer.subscription}")
    return answer.raise_for_status()


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [json.loads(each["Body"])["id"] for each in messages]


@pytest.fixture
def missed(customer: Customer) -> list[str]:
    """What was posted and routed while the subscription was disabled."""
    create_queue(customer.stack, customer.queue)
    create_queue(customer.stack, f"other-{customer.tenant}")
    code, disabled, _ = customer.command("subscriptions", "disable", customer.subscription)
    assert (code, disabled["enabled"]) == (0, False)
    other = subscribe(customer.client, f"other-{customer.tenant}", event_source=["ORDER"])
    posted = customer.post(COUNT, event_source="ORDER")
    deliveries = f"{SUBSCRIPTIONS}/{other}/deliveries"

    def delivered() -> int:
        found = customer.client.get(deliveries, params={"state": "delivered"}).json()
        return len(found["deliveries"])

    eventually(delivered, until=lambda count: count == COUNT)  # so the router is past them
    return posted


def test_what_a_disabled_subscription_missed_comes_once(
    customer: Customer, missed: list[str]
) -> None:
    code, enabled, said = customer.command(
        "subscriptions", "enable", customer.subscription, "--catch-up"
    )
    assert code == 0, said
    assert enabled["started"]["missed"] == "catch_up"
    later = customer.post(1, event_source="ORDER")
    customer.until(delivered=COUNT + 1)
    assert sorted(ids(customer.received())) == sorted(missed + later)
    assert_proven(customer)


def test_what_waited_before_it_was_disabled_comes_too(customer: Customer) -> None:
    """Its queue was not there; what failed is not cancelled, and what comes is behind it."""
    longer = {"delivery": {"retry_for_s": 86400}}  # than this stack's
    change(customer, longer)
    waiting = customer.post(2, event_source="ORDER")
    eventually(functools.partial(breaker, customer), until=lambda state: state == "open")
    code, _, said = customer.command("subscriptions", "disable", customer.subscription)
    assert code == 0, said
    waiting += customer.post(2, event_source="ORDER")
    create_queue(customer.stack, customer.queue)
    assert_proven(customer)
    code, _, said = customer.command("subscriptions", "enable", customer.subscription, "--catch-up")
    assert code == 0, said
    customer.until(delivered=4)
    assert sorted(ids(customer.received())) == sorted(waiting)
    assert_proven(customer)


def test_what_waited_is_cancelled_where_it_skips_and_the_ledger_says_so(customer: Customer) -> None:
    change(customer, {"delivery": {"retry_for_s": 86400}})
    customer.post(2, event_source="ORDER")
    eventually(functools.partial(breaker, customer), until=lambda state: state == "open")
    assert customer.command("subscriptions", "disable", customer.subscription)[0] == 0
    create_queue(customer.stack, customer.queue)
    assert customer.command("subscriptions", "enable", customer.subscription, "--skip")[0] == 0
    later = customer.post(1, event_source="ORDER")
    eventually(customer.states, until=lambda found: {"delivered", "cancelled"} <= set(found))
    assert ids(customer.received()) == later
    found = customer.client.get(
        f"{SUBSCRIPTIONS}/{customer.subscription}/deliveries", params={"state": "cancelled"}
    ).json()["deliveries"]
    assert "skipped" in found[0]["attempt"]["message"]


def breaker(customer: Customer) -> str:
    answer = customer.client.get(f"{SUBSCRIPTIONS}/{customer.subscription}/health")
    return str(answer.raise_for_status().json()["breaker"])


def change(customer: Customer, patch: Any) -> None:
    path = f"{SUBSCRIPTIONS}/{customer.subscription}"
    headers = {"Content-Type": "application/merge-patch+json"}
    customer.client.patch(path, json=patch, headers=headers).raise_for_status()


def assert_proven(customer: Customer) -> None:
    """Nothing is missing, nor delivered to whom it is not for."""
    answer = events("audit", "--deliveries", "--json", "--since", "1h", home=customer.stack.home)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.usefixtures("missed")
def test_what_is_skipped_never_comes(customer: Customer) -> None:
    code, enabled, said = customer.command(
        "subscriptions", "enable", customer.subscription, "--skip"
    )
    assert code == 0, said
    assert enabled["enabled"]
    later = customer.post(1, event_source="ORDER")
    eventually(customer.states, until=lambda found: {"delivered", "cancelled"} <= set(found))
    assert ids(customer.received()) == later


def test_a_replay_waits_for_what_the_view_does_not_have_yet(customer: Customer) -> None:
    with customer.stack.freeze("materialize"):
        customer.post(1, event_source="ORDER")
        answer = customer.ask("replay", **EVER)
    assert answer.status_code == 503, answer.text
    assert "not in the view yet" in answer.json()["detail"]
    eventually(lambda: customer.preview("replay", **EVER)["count"], until=lambda count: count == 1)


def test_catching_up_with_what_was_never_stopped_is_refused(customer: Customer) -> None:
    code, nothing, said = customer.command(
        "subscriptions", "enable", customer.subscription, "--catch-up"
    )
    assert (code, nothing) == (1, None)
    assert "events subscriptions replay" in said


def test_a_queue_that_is_not_there_has_its_subscription_paused_until_it_is_enabled(
    customer: Customer,
) -> None:
    ops = f"ops-{customer.tenant}"
    create_queue(customer.stack, ops)
    subscribe(customer.client, ops, event_type=["SYSTEM_EVENT"])
    before = shown(customer)
    customer.post(1, event_source="ORDER")  # is given up
    eventually(lambda: "dead" in customer.states())
    waiting = list[str]()

    def tried_again() -> Any:
        waiting.extend(customer.post(1, event_source="ORDER"))
        return shown(customer)

    found = eventually(tried_again, until=lambda answer: "paused" in answer.json())
    paused = found.json()
    assert paused["paused"]["code"] == "QueueDoesNotExist"
    assert paused["inactive"].startswith("paused: ")
    assert found.headers["etag"] != before.headers["etag"]
    [said, *_] = customer.client.get(f"{SUBSCRIPTIONS}/{customer.subscription}/changes").json()[
        "items"
    ]
    assert (said["action"], said["by"]) == ("pause", "the service")
    assert said["after"]["paused"] == paused["paused"]
    refused = customer.ask("replay", **EVER)
    assert refused.status_code == 409
    assert "paused" in refused.json()["detail"]
    where = ("--tenant", customer.tenant, "--home", str(customer.stack.home))
    with Terminal("subscriptions", "show", customer.subscription, *where) as terminal:
        assert terminal.end() == 0, terminal.seen
    assert f"events subscriptions enable {customer.subscription} --catch-up" in terminal.seen
    told = announcements(customer, ops, 2)
    assert [each["event_payload"]["key_attributes"]["kind"] for each in told] == [
        *("exhausted", "paused")
    ]
    for each in told:
        assert each["entity_id"] == customer.subscription
        path = f"{EVENTS}/{each['id']}"
        read = eventually(
            functools.partial(customer.client.get, path),
            until=lambda answer: answer.status_code == 200,
        )
        assert read.json() == each
    assert {*read_back(customer)} >= {"exhausted", "paused"}
    create_queue(customer.stack, customer.queue)
    code, _, said = customer.command("subscriptions", "enable", customer.subscription, "--catch-up")
    assert code == 0, said
    assert "paused" not in shown(customer).json()
    got = list[str]()

    def ended() -> bool:
        got.extend(ids(customer.received()))
        return set(waiting) <= set(got) | dead_of(customer)

    eventually(ended, until=bool)
    assert got
    assert len(got) == len(set(got))
    assert_proven(customer)


def dead_of(customer: Customer) -> set[str]:
    dead = customer.client.get(
        f"{SUBSCRIPTIONS}/{customer.subscription}/deliveries", params={"state": "dead"}
    ).json()["deliveries"]
    return {each["event_id"] for each in dead}


def announcements(customer: Customer, queue: str, count: int) -> list[dict[str, Any]]:
    found = list[dict[str, Any]]()

    def received() -> int:
        found.extend(json.loads(each["Body"]) for each in customer.received(queue))
        return len(found)

    eventually(received, until=lambda number: number >= count)
    return found

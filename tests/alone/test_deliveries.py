"""What became of deliveries, from records on Kafka to HTTP; nobody sees another tenant's."""

import json
import uuid
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from contracts.attempts import Attempt
from tests.attempts import NOW_MS, an_attempt, append
from tests.builders import an_event
from tests.cli.terminal import Terminal
from tests.stack import Stack, events, eventually
from tests.subscribed import create_queue, subscribe
from tests.visible import visible

EVENTS, SUBSCRIPTIONS = "/api/v1/events", "/api/v1/subscriptions"


class Ledger:
    """A tenant with a subscription, and what its attempts have in common."""

    def __init__(self, stack: Stack, tenant: str, client: httpx.Client) -> None:
        self.stack, self.tenant, self.client = stack, tenant, client
        self.subscription = subscribe(client, f"orders-{tenant}", event_source=["ORDER"])

    def post(self, **changes: Any) -> str:
        """A new event's id, once it can be read."""
        event_id = (
            self.client.post(EVENTS, json=an_event(**changes)).raise_for_status().json()["id"]
        )
        visible(self.client, event_id)
        return str(event_id)

    def delivered(self) -> str:
        """A new event's id, once it was delivered."""
        create_queue(self.stack, f"orders-{self.tenant}")
        event_id = self.post()
        eventually(lambda: self.of_event(event_id)["deliveries"][0]["state"] == "delivered")
        return event_id

    def attempt(self, event_id: str, state: str, after_s: float = 0, **changes: Any) -> Attempt:
        """One of a minute ago and so many seconds."""
        known = {"tenant": self.tenant, "subscription_id": self.subscription, "state": state}
        at = NOW_MS - 60_000 + round(after_s * 1000)
        return an_attempt(**known | {"at": at, "event_id": event_id} | changes)

    def of_event(self, event_id: str) -> dict[str, Any]:
        answer = self.client.get(f"{EVENTS}/{event_id}/deliveries")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def list(self, **criteria: Any) -> dict[str, Any]:
        path = f"{SUBSCRIPTIONS}/{self.subscription}/deliveries"
        answer = self.client.get(path, params=criteria)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def paged(self, **criteria: Any) -> tuple[str, ...]:
        """The events of all pages, newest first."""
        found: tuple[str, ...] = ()
        path: str | None = f"{SUBSCRIPTIONS}/{self.subscription}/deliveries?{urlencode(criteria)}"
        while path:
            answer = self.client.get(path).raise_for_status()
            found += tuple(each["event_id"] for each in answer.json()["deliveries"])
            path = answer.links["next"]["url"] if "next" in answer.links else None
        return found

    def health(self) -> dict[str, Any]:
        answer = self.client.get(f"{SUBSCRIPTIONS}/{self.subscription}/health")
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def no_router(stack: Stack) -> Any:
    """What the router would tell does not come between."""
    with stack.freeze("route"):
        yield


@pytest.fixture
def ledger(stack: Stack, tenant: str) -> Any:
    with stack.client(tenant) as client:
        yield Ledger(stack, tenant, client)


def test_an_event_waits_is_tried_and_is_delivered_and_every_attempt_is_shown(
    ledger: Ledger,
) -> None:
    create_queue(ledger.stack, f"orders-{ledger.tenant}")
    with ledger.stack.freeze("route"):
        event_id = ledger.post()
        [waiting] = ledger.of_event(event_id)["deliveries"]
        assert (waiting["subscription_id"], waiting["state"], waiting["attempts"]) == (
            *(ledger.subscription, "waiting", []),
        )
        assert waiting["name"] == f"orders-{ledger.tenant}"
        slow = {"code": "RequestThrottled", "message": "slow", "message_id": ""}
        append(ledger.stack, ledger.attempt(event_id, "failed", 0, **slow))
        [failed] = ledger.of_event(event_id)["deliveries"]
        assert failed["state"] == "waiting"
        assert [(each["code"], each["message"]) for each in failed["attempts"]] == [
            ("RequestThrottled", "slow")
        ]
    delivered = eventually(
        lambda: ledger.of_event(event_id),
        until=lambda found: found["deliveries"][0]["state"] == "delivered",
    )
    assert delivered["detail"] == "1 subscription: 1 delivered."
    first, last = delivered["deliveries"][0]["attempts"]
    assert (first["state"], last["state"], last["origin"]) == ("failed", "delivered", "automatic")
    assert last["message_id"]
    assert last["at"] > first["at"]


def test_a_subscription_that_was_made_after_the_event_does_not_wait_for_it(ledger: Ledger) -> None:
    event_id = ledger.delivered()
    subscribe(ledger.client, f"later-{ledger.tenant}", event_source=["ORDER"])
    [one] = ledger.of_event(event_id)["deliveries"]
    assert one["subscription_id"] == ledger.subscription


def test_an_event_that_nothing_accepts_says_so(ledger: Ledger) -> None:
    nowhere = ledger.of_event(ledger.post(event_source="CUSTOMER"))
    assert nowhere["deliveries"] == []
    assert nowhere["detail"].startswith("The event went nowhere")


@pytest.mark.usefixtures("no_router")
def test_a_cancelled_range_cancels_what_waits_in_it(ledger: Ledger) -> None:
    failed, untried = ledger.post(), ledger.post()
    places = {
        event_id: (partition, int(offset))
        for event_id, partition, offset in ledger.stack.sql(
            "SELECT toString(id), kafka_partition, toString(kafka_offset) FROM events"
            f" WHERE tenant = '{ledger.tenant}'"
        )
    }
    partition, offset = places[failed]
    ranges = [
        ledger.attempt("", "cancelled", 5, partition=part, offset=at, until=at + 1)
        for part, at in places.values()
    ]
    append(
        ledger.stack,
        ledger.attempt(failed, "failed", partition=partition, offset=offset),
        *ranges,
    )
    for event_id in (failed, untried):
        assert [each["state"] for each in ledger.of_event(event_id)["deliveries"]] == ["cancelled"]
    assert ledger.list(state="waiting")["deliveries"] == []
    found = ledger.list(state="cancelled")["deliveries"]
    assert {each["event_id"] for each in found} == {failed, None}
    assert {each["range"]["until"] for each in found if each["range"]} == {
        at + 1 for _, at in places.values()
    }


def test_a_subscriptions_deliveries_by_state_code_and_time_page_by_page(ledger: Ledger) -> None:
    ids = [str(uuid.uuid4()) for _ in range(30)]
    append(
        ledger.stack,
        *(
            ledger.attempt(each, "failed", n, attempt=1, code="Again")
            for n, each in enumerate(ids[:20])
        ),
        *(
            ledger.attempt(each, "failed", 20 + n, attempt=2, code="Again")
            for n, each in enumerate(ids[:20])
        ),
        *(
            ledger.attempt(each, "delivered", 40 + n / 10, attempt=3)
            for n, each in enumerate(ids[:12])
        ),
        *(
            ledger.attempt(each, "dead", 45 + n / 10, code="Refused")
            for n, each in enumerate(ids[20:])
        ),
    )
    shown = ledger.list(limit=200)
    assert shown["next"] is None
    assert len(shown["deliveries"]) == 30  # each once, as its newest attempt left it
    newest_first = [each["attempt"]["at"] for each in shown["deliveries"]]
    assert newest_first == sorted(newest_first, reverse=True)
    by_state = {
        state: {each["event_id"] for each in ledger.list(state=state)["deliveries"]}
        for state in ("delivered", "waiting", "dead", "cancelled")
    }
    assert by_state == {
        "delivered": set(ids[:12]),
        "waiting": set(ids[12:20]),
        "dead": set(ids[20:]),
        "cancelled": set(),
    }
    assert {each["event_id"] for each in ledger.list(code="Again")["deliveries"]} == set(ids[12:20])
    [latest] = {
        each["attempt"]["at"] for each in shown["deliveries"] if each["event_id"] == ids[-1]
    }
    assert [each["event_id"] for each in ledger.list(**{"from": latest})["deliveries"]] == [ids[-1]]
    assert len(ledger.list(to=latest)["deliveries"]) == 29
    assert list(ledger.paged(limit=7)) == [each["event_id"] for each in shown["deliveries"]]
    hour = ledger.health()["last_hour"]
    for ended, those in {"delivered": ids[:12], "failed": 2 * ids[:20], "dead": ids[20:]}.items():
        attempts = ledger.paged(attempts=ended, limit=9)
        assert sorted(attempts) == sorted(those)
        assert len(attempts) == hour[ended]
        told = ledger.list(attempts=ended)["deliveries"]  # some failed, then came through
        assert {(each["state"], each["attempt"]["state"]) for each in told} == {(None, ended)}


def test_what_cannot_be_asked_is_named(ledger: Ledger) -> None:
    path = f"{SUBSCRIPTIONS}/{ledger.subscription}/deliveries"
    for wrong, pointer in (
        ({"state": "lost"}, "/state"),
        ({"attempts": "cancelled"}, "/attempts"),
        ({"attempts": "failed", "state": "waiting"}, "/state"),
        ({"limit": "201"}, "/limit"),
        ({"from": "yesterday"}, "/from"),
        ({"event_type": "FAULT"}, "/event_type"),
        ({"cursor": "AAAA"}, "/cursor"),
    ):
        answer = ledger.client.get(path, params=wrong)
        assert answer.status_code == 400
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_health_says_what_to_do(ledger: Ledger) -> None:
    fine = ledger.health()
    assert (fine["breaker"], fine["last_error"], fine["waiting"]) == ("closed", None, 0)
    assert fine["destination"].endswith(f":orders-{ledger.tenant}")
    event_id = str(uuid.uuid4())
    append(
        ledger.stack,
        ledger.attempt(event_id, "failed", 1, code="AccessDenied", message="no"),
        ledger.attempt("", "opened", 2, code="AccessDenied", message="no"),
        ledger.attempt(str(uuid.uuid4()), "dead", 0, code="InvalidMessageContents"),
    )
    sick = ledger.health()
    assert sick["breaker"] == "open"
    assert sick["breaker_since"] > sick["oldest_undelivered"]
    assert sick["last_error"]["code"] == "AccessDenied"
    assert "sqs:SendMessage" in sick["last_error"]["advice"]
    assert sick["last_hour"] == {"delivered": 0, "failed": 1, "dead": 1}
    assert (sick["waiting"], sick["dead"]) == (1, 1)


def commanded(ledger: Ledger, *arguments: str) -> list[dict[str, Any]]:
    """The JSON lines of `events deliveries`."""
    answer = events("deliveries", *arguments, "--tenant", ledger.tenant, home=ledger.stack.home)
    assert (answer.returncode, answer.stderr) == (0, "")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def shown(ledger: Ledger, *arguments: str) -> str:
    """What a terminal shows of it."""
    where = ("--tenant", ledger.tenant, "--home", str(ledger.stack.home))
    with Terminal("deliveries", *arguments, *where) as terminal:
        assert terminal.end() == 0, terminal.seen
    return terminal.seen


@pytest.mark.usefixtures("no_router")
def test_the_command_line_prints_lines_for_programs_and_tables_for_people(ledger: Ledger) -> None:
    event_id = ledger.post()
    others = [str(uuid.uuid4()) for _ in range(3)]
    append(
        ledger.stack,
        ledger.attempt(event_id, "failed", 1, code="Throttling", message="slow\x1b[31m"),
        *(ledger.attempt(each, "dead", 2, code="AccessDenied") for each in others[:2]),
        ledger.attempt(others[2], "dead", 3, code="Again", exhausted="retry_for_s"),
    )
    assert len(commanded(ledger, "list")) == 4
    waiting = commanded(ledger, "list", "--state", "waiting", "--subscription", ledger.subscription)
    assert [each["event_id"] for each in waiting] == [event_id]
    assert len(commanded(ledger, "list", "--limit", "2")) == 2
    [one] = commanded(ledger, "list", "--event", event_id)
    assert [each["code"] for each in one["attempts"]] == ["Throttling"]
    assert commanded(ledger, "list", "--event", event_id, "--state", "dead") == []
    assert [each["event_id"] for each in commanded(ledger, "dead", "--code", "Again")] == others[2:]
    table = shown(ledger, "list", "--event", event_id)
    assert "slow\N{REPLACEMENT CHARACTER}[31m" in table
    assert "1 subscription: 1 waiting." in table
    counted = shown(ledger, "dead").splitlines()
    assert [line.split() for line in counted[2:4]] == [["2", "AccessDenied"], ["1", "Again"]]
    assert counted[-1] == "3 dead"
    assert all(any(each in line for line in counted) for each in others)
    refused = events("deliveries", "list", "--state", "lost", home=ledger.stack.home)
    assert refused.returncode == 2
    assert "delivered, waiting, dead, cancelled" in refused.stderr


def test_a_deleted_subscription_is_known_as_long_as_its_ledger(ledger: Ledger) -> None:
    event_id = ledger.delivered()
    ledger.client.delete(f"{SUBSCRIPTIONS}/{ledger.subscription}").raise_for_status()
    [one] = ledger.of_event(event_id)["deliveries"]
    assert (one["name"], one["state"]) == (None, "delivered")
    assert len(ledger.list()["deliveries"]) == 1
    assert ledger.health()["last_hour"]["delivered"] == 1


@pytest.mark.parametrize("name", ["deliveries", "health"])
def test_another_tenants_ids_are_as_unknown_as_any(ledger: Ledger, name: str) -> None:
    event_id = ledger.delivered()
    unknown = str(uuid.uuid4())
    with ledger.stack.client(f"{ledger.tenant}-x") as stranger:
        paths = [f"{SUBSCRIPTIONS}/{each}/{name}" for each in (ledger.subscription, unknown)]
        if name == "deliveries":
            paths += [f"{EVENTS}/{each}/{name}" for each in (event_id, unknown)]
        answers = [stranger.get(path) for path in paths]
        assert {answer.status_code for answer in answers} == {404}
        assert answers[0].content == answers[1].content
        assert answers[-1].content == answers[-2].content
        assert stranger.get(f"{SUBSCRIPTIONS}/{unknown[:-1]}/{name}").status_code == 400
    with httpx.Client(base_url=ledger.stack.api) as nobody:
        assert nobody.get(paths[0]).status_code in (400, 401)

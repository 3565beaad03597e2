"""Attacks by way of destinations: the cases 57 to 70 of a list, each with what must come of it and its test.

The list is that of an analysis of systems that deliver events (57 to 70 are about destinations), and what a
tenant may try at another's. A row whose test is in another file names it, and whether it is there is a test
too. Roles are tried at a strict STS of our own (tests/fakes/sts.py); AWS itself was not attacked.
"""

import ast
import asyncio
import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from uuid_utils import uuid7

from contracts.ownership import external_id
from contracts.topics import (
    DELIVERIES,
    DELIVERIES_DEAD,
    DELIVERIES_JOBS,
    DELIVERIES_RETRY,
    EVENTS,
)
from contracts.topics import (
    SUBSCRIPTIONS as CHANGED,
)
from local.stack import Ports, environment
from processors.consume.replay import Log
from service.connections import KafkaConnection
from tests.documents import ROOT
from tests.e2e.test_send_again import EVER, JOBS, SUBSCRIPTIONS, Customer
from tests.stack import Another, Stack, eventually
from tests.subscribed import create_queue, subscribe

TOPICS = (DELIVERIES, DELIVERIES_DEAD, DELIVERIES_RETRY, DELIVERIES_JOBS, EVENTS, CHANGED)
HERE = "tests/attacks/test_destinations.py"
WHOSE = "tests/attacks/test_whose_queue.py"
OLD = "test_a_queue_that_the_operator_refuses_gets_nothing_however_old_its_subscription"
ASKS = "test_a_destination_that_takes_nothing_is_asked_with_one_message_until_it_does"
BOUNDED = "test_wildcards_that_take_long_to_score_are_refused_in_bounded_steps"
NAMED, SQS = f"{WHOSE}::test_what_nobody_may_name_is_refused", "tests/adapters/test_sqs_faults.py"
NEIGHBOURS = (
    "tests/faults/test_neighbours.py::test_forty_five_queues_get_everything_while_five_are_bad"
)


class Row(NamedTuple):
    """An attack by its number on the list, what is expected, its tests, and what they leave open."""

    number: int
    attack: str
    expected: str
    tests: tuple[str, ...]
    said: str = ""


ROWS = (
    Row(57, "a URL for an ARN: IP, decimal IP, metadata, userinfo, suffix, port, path, IDN, dot, IPv6",
        "405 that names the field, nothing stored, no call", (NAMED,),
        "a queue is an ARN and has no endpoint, so no text of a client is ever a host"),
    Row(58, "our own account, queue, or queue for dead letters", "403 destination-refused",
        (NAMED, f"{WHOSE}::{OLD}")),
    Row(59, "a role that asks for no external id, or takes any", "403 role-open, at creation", (NAMED,)),
    Row(60, "another tenant's role, or queue", "403 as where there is no role; no message but the question",
        (NAMED, f"{WHOSE}::test_a_role_that_is_anothers_is_told_as_one_that_is_not_there",
         f"{WHOSE}::test_an_unproven_queue_gets_one_question_and_nothing_else",
         f"{WHOSE}::test_a_queue_of_the_list_is_proven_at_once_and_only_for_whose_list_it_is")),
    Row(61, "an external id, or an ownership, of one's own", "405; what is sent back is not looked at",
        (NAMED, f"{WHOSE}::test_an_ownership_that_is_sent_back_proves_nothing",
         f"{WHOSE}::test_the_identity_is_the_tenants_own")),
    Row(62, "queues that deny, are gone, or have a key that is gone", "open; the others get all",
        (NEIGHBOURS, f"tests/unit/test_lanes.py::{ASKS}"),
        "the others' p99 is measured by python -m bench.neighbours, for a test asserts no speed"),
    Row(63, "a black hole", "a call ends by its deadline, and holds its share of the calls at the most",
        (f"{SQS}::test_a_call_has_a_deadline", NEIGHBOURS)),
    Row(64, "three of ten entries fail, by whose fault differs", "those alone are tried again, or dead",
        (f"{SQS}::test_entries_fail_alone_by_whose_fault_it_is",)),
    Row(65, "the answer is lost after the queue took it", "the same event id and deduplication id again",
        (f"{SQS}::test_a_lost_answer_may_have_been_sent_and_is_tried_again",
         "tests/adapters/test_sqs.py::test_one_fifo_queue_takes_two_subscriptions_and_a_replay_and_drops_a_repeat")),
    Row(66, "a message over what the queue takes", "a claim check, or dead with its cause; the others arrive",
        ("tests/adapters/test_sqs.py::test_a_message_over_the_queues_limit_goes_as_a_claim_check",
         f"{SQS}::test_one_that_is_too_long_alone_is_never_sent",
         f"{SQS}::test_a_batch_that_is_too_long_is_halved_until_it_is_not")),
    Row(67, "a filter that takes long, is huge or deep", "405 at creation; what is stored has its bounds",
        ("tests/attacks/test_filters.py::test_an_attack",
         f"tests/filters/test_language.py::{BOUNDED}")),
    Row(68, "an announcement that is routed to the subscription that it is about", "hops is 1, no second",
        (f"{HERE}::test_an_announcement_about_its_own_subscription_comes_to_an_end",
         "tests/unit/test_lifecycle.py::test_announcements_of_queues_that_take_no_announcements_come_to_an_end",
         "tests/unit/test_lifecycle.py::test_what_a_client_writes_into_the_hop_count_breaks_nothing"),
        "a consumer that posts what it received makes a new event: it pays for each by its tenant's rate,"
        " and no header of a queue's message tells us of the round"),
    Row(69, "secrets in answers, logs, ledger, dead letters, jobs and the ledger's table", "none",
        (f"{HERE}::test_no_secret_is_in_anything_that_is_kept_or_told", NAMED,
         "tests/unit/test_destinations.py::test_the_stacks_status_does_not_show_the_secret")),
    Row(70, "another tenant's subscription, deliveries, redrive, replay, job", "404 as an unknown id",
        (f"{HERE}::test_what_is_another_tenants_is_404_as_an_unknown_id",
         f"{HERE}::test_a_list_shows_ones_own_alone")),
    Row(70, "another tenant's event asked for again by its id", "nothing is counted, nothing is sent",
        (f"{HERE}::test_a_redrive_by_anothers_event_id_counts_nothing",)),
    Row(60, "a confirmation token that is guessed", "403 token-wrong, and a pause behind each guess",
        (f"{WHOSE}::test_a_token_that_is_guessed_is_wrong",
         f"{WHOSE}::test_guesses_are_limited_by_the_tenants_rate")),
    Row(60, "a token that is posted again, or for another subscription", "403 token-wrong",
        (f"{WHOSE}::test_a_token_counts_once", f"{WHOSE}::test_a_token_confirms_no_other_subscription")),
    Row(60, "a token after a day", "410 token-expired",
        (f"{WHOSE}::test_a_token_is_too_late_after_a_day_and_asking_anew_ends_it",)),
    Row(60, "a token posted by another tenant", "404",
        (f"{WHOSE}::test_a_token_posted_by_another_tenant_is_404_as_an_unknown_id",)),
)  # fmt: skip


def test_every_case_of_the_list_has_a_row() -> None:
    assert {each.number for each in ROWS} == {*range(57, 71)}
    assert all(each.tests and each.expected for each in ROWS)


@functools.cache
def names_in(path: Path) -> set[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {each.name for each in ast.parse(path.read_text()).body if isinstance(each, kinds)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.attack}"[:60])
def test_the_tests_of_a_row_are_there(row: Row) -> None:
    for each in row.tests:
        path, _, name = each.partition("::")
        assert name in names_in(ROOT / path)


@pytest.fixture(scope="module")
def stack(another: Another) -> Stack:
    """A stack that gives up after two seconds."""
    return another.with_settings(
        "EVENTS_RETRY_FOR_S=2", "EVENTS_RETRY_PAUSE_MAX_S=1", "EVENTS_PAUSE_AFTER_S=4"
    )


@pytest.fixture
def customer(stack: Stack, tenant: str) -> Iterator[Customer]:
    with stack.client(tenant) as client:
        yield Customer(stack, tenant, client)


@pytest.fixture
def mallory(stack: Stack) -> Iterator[httpx.Client]:
    with stack.client("mallory") as client:
        yield client


ASKED: dict[str, tuple[str, str, Any]] = {
    "read it": ("GET", SUBSCRIPTIONS + "/{subscription}", None),
    "its changes": ("GET", SUBSCRIPTIONS + "/{subscription}/changes", None),
    "replace it": ("PUT", SUBSCRIPTIONS + "/{subscription}", "draft"),
    "patch it": ("PATCH", SUBSCRIPTIONS + "/{subscription}?missed=catch_up", {"enabled": False}),
    "delete it": ("DELETE", SUBSCRIPTIONS + "/{subscription}", None),
    "check it": ("POST", SUBSCRIPTIONS + "/{subscription}/check", {}),
    "confirm it": ("POST", SUBSCRIPTIONS + "/{subscription}/confirm", {"token": "x" * 43}),
    "its deliveries": ("GET", SUBSCRIPTIONS + "/{subscription}/deliveries", None),
    "its dead letters": ("GET", SUBSCRIPTIONS + "/{subscription}/deliveries?state=dead", None),
    "its health": ("GET", SUBSCRIPTIONS + "/{subscription}/health", None),
    "count a redrive": ("POST", SUBSCRIPTIONS + "/{subscription}/redrive", {"dry_run": True}),
    "redrive it": ("POST", SUBSCRIPTIONS + "/{subscription}/redrive", {}),
    "count a replay": ("POST", SUBSCRIPTIONS + "/{subscription}/replay", EVER | {"dry_run": True}),
    "replay it": ("POST", SUBSCRIPTIONS + "/{subscription}/replay", EVER),
    "its job": ("GET", JOBS + "/{job}", None),
    "pause its job": ("POST", JOBS + "/{job}/pause", None),
    "resume its job": ("POST", JOBS + "/{job}/resume", None),
    "cancel its job": ("POST", JOBS + "/{job}/cancel", None),
    "the event's deliveries": ("GET", "/api/v1/events/{event}/deliveries", None),
}


@pytest.fixture(scope="module")
def victim(stack: Stack) -> dict[str, str]:
    """Ids of a subscription with a dead letter, its event, and a job under way."""
    with stack.client("victim") as client:
        made = Customer(stack, "victim", client)
        [event] = made.post(1, event_source="ORDER")
        made.until(dead=1)
        job = made.made("redrive")
        made.change(job, "pause")
    return {"subscription": made.subscription, "event": event, "job": job["id"]}


@pytest.mark.parametrize(("method", "path", "body"), ASKED.values(), ids=ASKED.keys())
def test_what_is_another_tenants_is_404_as_an_unknown_id(
    mallory: httpx.Client, victim: dict[str, str], method: str, path: str, body: Any
) -> None:
    if body == "draft":
        arn = "arn:aws:sqs:eu-west-1:000000000000:mine"
        body = {"name": "mine", "filter": {}, "destination": {"type": "sqs", "arn": arn}}
    kind = "merge-patch+json" if method == "PATCH" else "json"
    ask = functools.partial(
        mallory.request, method, json=body, headers={"Content-Type": f"application/{kind}"}
    )
    theirs = ask(path.format(**victim))
    unknown = ask(path.format(**{name: str(uuid7()) for name in victim}))
    assert theirs.status_code == unknown.status_code == 404, theirs.text
    assert told(theirs) == told(unknown)
    assert not any(each in theirs.text for each in victim.values())


def told(answer: httpx.Response) -> Any:
    """What is answered, but for the names of the request itself."""
    document = answer.json()
    document.pop("instance", None)
    document.pop("request_id", None)
    return document


def test_a_list_shows_ones_own_alone(mallory: httpx.Client, victim: dict[str, str]) -> None:
    for path in (SUBSCRIPTIONS, JOBS):
        answer = mallory.get(path).raise_for_status()
        assert not any(each in answer.text for each in victim.values())


def test_a_redrive_by_anothers_event_id_counts_nothing(
    stack: Stack, customer: Customer, victim: dict[str, str]
) -> None:
    asked = {"event_ids": [victim["event"]]}
    assert customer.preview("redrive", **asked)["count"] == 0
    assert (
        customer.preview("replay", **EVER, filter={"entity_id": [{"exists": True}]})["count"] == 0
    )
    answer = customer.ask("redrive", **asked)
    assert (answer.status_code, answer.json()["count"]) == (200, 0)


def test_an_announcement_about_its_own_subscription_comes_to_an_end(customer: Customer) -> None:
    """To everything, announcements too, on a queue that is not there; told to another queue, and kept."""
    ops = f"ops-{customer.tenant}"
    create_queue(customer.stack, ops)
    subscribe(customer.client, ops, event_type=["SYSTEM_EVENT"])
    all_ = subscribe(customer.client, f"all-{customer.tenant}")
    customer.post(1, event_source="PRODUCT")
    seen = list[Any]()

    def kinds() -> Counter[str]:
        seen.extend(json.loads(each["Body"]) for each in customer.received(ops))
        return Counter(hops(each)["kind"] for each in seen if each["entity_id"] == all_)

    def posted() -> Counter[str]:
        customer.post(1, event_source="PRODUCT")  # so that there is something to try its queue with
        return kinds()

    found = eventually(posted, until=lambda kinds: kinds["paused"] > 0, within_s=180)
    assert found == {"exhausted": 1, "paused": 1}
    assert {hops(each)["hops"] for each in seen} == {"1"}
    create_queue(customer.stack, f"all-{customer.tenant}")
    headers = {"Content-Type": "application/merge-patch+json"}
    path = f"{SUBSCRIPTIONS}/{all_}?missed=catch_up"
    customer.client.patch(path, json={"enabled": True}, headers=headers).raise_for_status()
    got = list[Any]()

    def received() -> set[str]:
        got.extend(json.loads(each["Body"]) for each in customer.received(f"all-{customer.tenant}"))
        return {hops(each)["kind"] for each in got if each["event_type"] == "SYSTEM_EVENT"}

    eventually(received, until=lambda kinds: "paused" in kinds)  # among others that of itself
    assert kinds() == found  # which told of nothing new


def hops(event: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = event["event_payload"]["key_attributes"]
    return found


def test_no_secret_is_in_anything_that_is_kept_or_told(customer: Customer) -> None:
    stack, answers = customer.stack, list[str]()
    secret = environment(Ports(stack.port_base))["EVENTS_DESTINATIONS__SECRET"]
    token, own = pending(customer, answers), external_id(secret, customer.tenant)
    customer.post(1, event_source="ORDER")
    customer.until(dead=1)
    job = customer.made("redrive")
    customer.ended(job)
    eventually(customer.states, until=lambda found: found["dead"] >= 1)
    one = f"{SUBSCRIPTIONS}/{customer.subscription}"
    for path in (SUBSCRIPTIONS, JOBS, f"{one}/deliveries", f"{one}/health", f"{one}/changes"):
        answers.append(customer.client.get(path).raise_for_status().text)
    bearer = stack.headers(customer.tenant)["Authorization"].removeprefix("Bearer ")
    secrets = {"secret": secret, "token": token, "bearer": bearer}
    kept = {name: asyncio.run(content(stack, name)) for name in TOPICS}
    kept |= {path.name: path.read_bytes() for path in (stack.home / "logs").glob("*")}
    kept["ledger"] = json.dumps(stack.sql("SELECT * FROM deliveries")).encode()
    kept["answers"] = "\n".join(answers).encode()
    assert kept["ledger"].count(customer.subscription.encode())
    assert kept[DELIVERIES_DEAD].count(customer.tenant.encode())
    secrets["external id"] = own  # which its tenant alone is told
    for where, text in kept.items():
        assert not {name for name, each in secrets.items() if each.encode() in text}, where


def pending(customer: Customer, answers: list[str]) -> str:
    """The token of a subscription that waits for its owner; wrong ones are posted too."""
    theirs = f"theirs-{customer.tenant}"
    create_queue(customer.stack, theirs)
    destination = {"type": "sqs", "arn": f"arn:aws:sqs:eu-west-1:111122223333:{theirs}"}
    body = {"name": "theirs", "filter": {}, "destination": destination}
    made = customer.client.post(SUBSCRIPTIONS, json=body).raise_for_status()
    [message] = eventually(functools.partial(customer.received, theirs))
    token: str = json.loads(message["Body"])["token"]
    path = f"{SUBSCRIPTIONS}/{made.json()['id']}/confirm"
    wrong = customer.client.post(path, json={"token": token[:-1]})
    assert wrong.status_code == 403
    right = customer.client.post(path, json={"token": token}).raise_for_status()
    answers += [made.text, wrong.text, right.text]
    return token


async def content(stack: Stack, topic: str) -> bytes:
    """Keys, headers and values of all that a topic holds."""
    found = bytearray()
    async with Log.connected(KafkaConnection(bootstrap_servers=stack.status["kafka"])) as log:
        for number, (first, end) in (await log.bounds(topic)).items():
            async for batch in log.read(topic, number, first, end, 1000):
                for record in batch:
                    parts = (record.key, record.value, *(value for _, value in record.headers))
                    found += b" ".join(each or b"" for each in parts)
    return bytes(found)

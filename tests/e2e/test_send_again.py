"""Redrive and replay on the local stack: what was given up is delivered, what was delivered comes again."""

import asyncio
import functools
import json
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from contracts.topics import ROUTE_GROUP
from tests.builders import an_event
from tests.cli.terminal import Terminal
from tests.faults.group import group
from tests.stack import Another, Stack, events, eventually
from tests.subscribed import create_queue, subscribe

EVENTS, SUBSCRIPTIONS, JOBS = "/api/v1/events", "/api/v1/subscriptions", "/api/v1/jobs"
EVER = {"from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}
LONG_AGO = {"from": "2020-01-01T00:00:00Z", "to": "2020-01-02T00:00:00Z"}


@pytest.fixture(scope="module")
def stack(another: Another) -> Stack:
    """A stack that gives up after three seconds."""
    return another.with_settings("EVENTS_RETRY_FOR_S=3", "EVENTS_RETRY_PAUSE_MAX_S=1")


class Customer:
    """A tenant with a subscription to its queue, which is not there yet."""

    def __init__(self, stack: Stack, tenant: str, client: httpx.Client) -> None:
        self.stack, self.tenant, self.client = stack, tenant, client
        self.queue = f"orders-{tenant}"
        self.subscription = subscribe(client, self.queue, event_source=["ORDER"])

    def post(self, count: int, **changes: Any) -> list[str]:
        """Ids of new events."""
        return [
            str(self.client.post(EVENTS, json=an_event(**changes)).raise_for_status().json()["id"])
            for _ in range(count)
        ]

    def ask(self, what: str, **body: Any) -> httpx.Response:
        return self.client.post(f"{SUBSCRIPTIONS}/{self.subscription}/{what}", json=body)

    def preview(self, what: str, **body: Any) -> dict[str, Any]:
        answer = self.ask(what, **body, dry_run=True)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    def made(self, what: str, **body: Any) -> dict[str, Any]:
        """A job."""
        answer = self.ask(what, **body)
        assert answer.status_code == 202, answer.text
        job: dict[str, Any] = answer.json()
        assert answer.headers["location"] == f"{JOBS}/{job['id']}"
        return job

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"{JOBS}/{job_id}").raise_for_status().json()
        return job

    def change(self, job: dict[str, Any], what: str) -> httpx.Response:
        return self.client.post(f"{JOBS}/{job['id']}/{what}")

    def ended(self, job: dict[str, Any], state: str = "done") -> dict[str, Any]:
        return eventually(lambda: self.job(job["id"]), until=lambda found: found["state"] == state)

    def states(self) -> Counter[str]:
        """How many deliveries there are in each state."""
        found = self.client.get(
            f"{SUBSCRIPTIONS}/{self.subscription}/deliveries", params={"limit": 200}
        ).raise_for_status()
        return Counter(each["state"] for each in found.json()["deliveries"])

    def until(self, **states: int) -> None:
        eventually(self.states, until=lambda found: found == Counter(states))

    def received(self, queue: str = "") -> list[dict[str, Any]]:
        """Messages that are there, which are deleted."""
        sqs, found = self.stack.sqs(), list[dict[str, Any]]()
        url = sqs.get_queue_url(QueueName=queue or self.queue)["QueueUrl"]
        while some := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages"):  # fmt: skip
            for each in some:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
            found += some
        return found

    def command(self, *arguments: str) -> tuple[int, Any, str]:
        """Exit code, JSON and messages of the command line."""
        where = ("--tenant", self.tenant)
        answer = events(*arguments, *where, home=self.stack.home)
        text = answer.stdout.strip()
        return answer.returncode, json.loads(text) if text else None, answer.stderr


@pytest.fixture
def customer(stack: Stack, tenant: str) -> Iterator[Customer]:
    with stack.client(tenant) as client:
        yield Customer(stack, tenant, client)


def attribute(message: dict[str, Any], name: str) -> str | None:
    found = message["MessageAttributes"].get(name)
    return found["StringValue"] if found else None


def read_back(customer: Customer) -> list[str]:
    """Kinds of what was announced of the subscription, as both search and SQL have it."""
    about = {"event_type": "SYSTEM_EVENT", "entity_id": customer.subscription}
    found = customer.client.get(EVENTS, params=about).raise_for_status().json()["events"]
    kinds = {each["id"]: each["event_payload"]["key_attributes"]["kind"] for each in found}
    rows = customer.stack.sql(
        "SELECT toString(id), key_attributes['kind'], key_attributes['hops'] FROM events"
        f" WHERE tenant = '{customer.tenant}' AND event_type = 'SYSTEM_EVENT'"
        f" AND entity_id = '{customer.subscription}' AND event_source = 'APPLICATION' ORDER BY id"
    )
    assert all(hops == "1" for _, _, hops in rows)
    return sorted(kind for id_, kind, _ in rows if kinds.get(id_) == kind)


def test_that_a_queue_has_recovered_is_read_back_by_search_and_sql(customer: Customer) -> None:
    customer.post(1, event_source="ORDER")
    eventually(functools.partial(read_back, customer), until=lambda kinds: kinds == ["exhausted"])
    create_queue(customer.stack, customer.queue)
    [event_id] = customer.post(1, event_source="ORDER")
    told = eventually(functools.partial(read_back, customer), until=lambda kinds: len(kinds) > 1)
    assert told == ["exhausted", "recovered"]
    [message] = eventually(customer.received)
    assert json.loads(message["Body"])["id"] == event_id


def test_what_was_given_up_is_counted_sent_again_and_delivered(customer: Customer) -> None:
    ids = customer.post(5)
    customer.until(dead=5)
    shown = customer.preview("redrive")
    assert (shown["kind"], shown["count"], shown["beyond"]) == ("redrive", 5, 0)
    [cause] = shown["counts"]
    assert cause["count"] == 5
    assert {each["event_id"] for each in shown["samples"]} == set(ids)
    assert shown["samples"][0]["code"] == cause["of"]
    assert customer.client.get(JOBS).json() == {"jobs": [], "next": None}
    chosen = {"codes": [cause["of"]], "event_ids": ids[:2], "filter": {"event_source": ["ORDER"]}}
    assert customer.preview("redrive", **chosen)["count"] == 2
    assert customer.preview("redrive", **LONG_AGO)["count"] == 0
    assert customer.preview("redrive", filter={"entity_id": ["other"]})["count"] == 0
    create_queue(customer.stack, customer.queue)
    of = ("--subscription", customer.subscription)
    code, previewed, _ = customer.command("deliveries", "redrive", *of, "--dry-run")
    assert (code, previewed["count"]) == (0, 5)
    code, job, told = customer.command("deliveries", "redrive", *of, "--code", cause["of"], "--yes")
    assert (code, job["state"], job["sent"], job["per_cent"]) == (0, "done", 5, 100), told
    assert job["asked"] == {"codes": json.dumps([cause["of"]])}
    seen = eventually(  # until the ledger has followed it is 503
        lambda: customer.ask("redrive", dry_run=True), until=lambda seen: seen.status_code != 503
    )
    assert (seen.status_code, seen.json()["count"]) == (200, 0)
    messages = customer.received()
    assert sorted(attribute(each, "event_id") or "" for each in messages) == sorted(ids)
    for each in messages:
        said = {name: attribute(each, name) for name in ("origin", "replay_id", "attempt")}
        assert said == {"origin": "manual", "replay_id": job["id"], "attempt": "1"}
    customer.until(delivered=5)
    for of_job, count in ((job["id"], 5), ("another", 0)):
        asked = {"job_id": of_job, "state": "delivered"}
        found = customer.client.get(
            f"{SUBSCRIPTIONS}/{customer.subscription}/deliveries", params=asked
        )
        assert len(found.json()["deliveries"]) == count
    again = customer.ask("redrive")
    assert (again.status_code, again.json()["count"]) == (200, 0)
    code, nothing, _ = customer.command("deliveries", "redrive", *of, "--yes")
    assert (code, nothing["count"]) == (0, 0)


@pytest.mark.parametrize("kind", ["", ".fifo"])
def test_what_was_delivered_comes_again(stack: Stack, tenant: str, kind: str) -> None:
    fifo = {"Attributes": {"FifoQueue": "true"}} if kind else {}
    stack.sqs().create_queue(QueueName=f"orders-{tenant}{kind}", **fifo)
    with stack.client(tenant) as client:
        customer = Customer(stack, tenant, client)
        customer.queue = f"orders-{tenant}{kind}"
        customer.subscription = subscribe(client, customer.queue, event_source=["ORDER"])
        ids = customer.post(3) + customer.post(1, entity_id="another")
        eventually(lambda: Counter(customer.states())["delivered"], until=lambda count: count == 4)
        first = {attribute(each, "event_id"): each for each in customer.received()}
        customer.post(1, event_source="CUSTOMER")
        eventually(
            lambda: customer.preview("replay", **EVER, all=True)["count"],
            until=lambda count: count == 5,
        )
        shown = customer.preview("replay", **EVER)
        assert (shown["count"], len(shown["samples"])) == (4, 4)
        [day] = shown["counts"]
        assert day == {"of": datetime.now(UTC).date().isoformat(), "count": 4}
        assert customer.preview("replay", **EVER, filter={"entity_id": ["another"]})["count"] == 1
        assert customer.preview("replay", **LONG_AGO)["count"] == 0
        job = customer.ended(customer.made("replay", **EVER, messages_per_s=1000))
        assert (job["count"], job["sent"], job["dead"], job["missing"]) == (4, 4, 0, 0)
        second = customer.received()
        assert sorted(attribute(each, "event_id") or "" for each in second) == sorted(ids)
        for each in second:
            told = {name: attribute(each, name) for name in ("origin", "replay_id", "attempt")}
            assert told == {"origin": "replay", "replay_id": job["id"], "attempt": "1"}
            before = first[attribute(each, "event_id")]
            assert attribute(before, "origin") is None
            assert each["Body"] == before["Body"]
            if kind:
                keys = [one["Attributes"]["MessageDeduplicationId"] for one in (before, each)]
                assert keys[0] != keys[1]


def test_a_job_is_paused_resumed_cancelled_and_told_page_by_page(customer: Customer) -> None:
    create_queue(customer.stack, customer.queue)
    customer.post(12)
    customer.until(delivered=12)
    eventually(lambda: customer.preview("replay", **EVER)["count"], until=lambda seen: seen == 12)
    slow = customer.made("replay", **EVER, messages_per_s=1)
    assert (slow["state"], slow["messages_per_s"]) == ("running", 1)
    paused = customer.change(slow, "pause")
    assert (paused.status_code, paused.json()["state"]) == (200, "paused")
    assert customer.change(slow, "pause").status_code == 200  # it is already
    code, shown, _ = customer.command("jobs", "show", slow["id"])
    assert (code, shown["state"]) == (0, "paused")
    code, shown, _ = customer.command("jobs", "resume", slow["id"])
    assert (code, shown["state"]) == (0, "running")
    assert customer.change(slow, "cancel").json()["state"] == "cancelled"
    for what in ("pause", "resume", "cancel"):
        refused = customer.change(slow, what)
        assert (refused.status_code, refused.json()["title"]) == (409, "Conflict")
    code, _, told = customer.command("jobs", "pause", slow["id"])
    assert code == 1
    assert "409" in told
    body = json.dumps(EVER)
    key = {"Idempotency-Key": "once"}
    path = f"{SUBSCRIPTIONS}/{customer.subscription}/replay"
    made, repeated = (customer.client.post(path, content=body, headers=key) for _ in range(2))
    assert (made.status_code, repeated.status_code) == (202, 200)
    assert made.json()["id"] == repeated.json()["id"]
    customer.ended(made.json())
    page = customer.client.get(JOBS, params={"limit": 1})
    assert [each["id"] for each in page.json()["jobs"]] == [made.json()["id"]]
    rest = customer.client.get(page.links["next"]["url"]).json()
    assert ([each["id"] for each in rest["jobs"]], rest["next"]) == ([slow["id"]], None)
    assert customer.client.get(JOBS, params={"cursor": "x"}).status_code == 400


def test_what_cannot_be_begun_is_said(customer: Customer) -> None:
    customer.post(1)
    customer.until(dead=1)
    with customer.stack.freeze("route"):
        first = customer.made("redrive")
        same = customer.ask("redrive")
        assert same.status_code == 409
        assert first["id"] in same.json()["detail"]
        for _ in range(4):
            customer.made("replay", **EVER)
        many = customer.ask("replay", **EVER)
        assert (many.status_code, many.json()["size"], many.json()["limit"]) == (409, 5, 5)
        assert customer.preview("replay", **EVER)["count"] == 1
        path = f"{SUBSCRIPTIONS}/{customer.subscription}"
        merge = {"Content-Type": "application/merge-patch+json"}
        for job in customer.client.get(JOBS).json()["jobs"]:
            assert customer.change(job, "cancel").status_code == 200
        customer.client.patch(path, content=b'{"enabled":false}', headers=merge).raise_for_status()
        disabled = customer.ask("redrive")
        assert (disabled.status_code, "disabled" in disabled.json()["detail"]) == (409, True)
    for what, body, pointer in (
        ("redrive", {"colour": 1}, "/colour"),
        ("redrive", {"codes": []}, "/codes"),
        ("redrive", {"event_ids": ["x"]}, "/event_ids/0"),
        ("redrive", {"filter": {"colour": ["red"]}}, "/filter/colour"),
        ("redrive", {"from": EVER["to"], "to": EVER["from"]}, "/from"),
        ("replay", {"from": EVER["from"]}, "/to"),
        ("replay", EVER | {"messages_per_s": 0}, "/messages_per_s"),
        ("replay", EVER | {"messages_per_s": None}, "/messages_per_s"),
    ):
        answer = customer.ask(what, **body)
        assert answer.status_code == 405, answer.text
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]


def test_another_tenants_are_as_unknown_as_any(customer: Customer) -> None:
    create_queue(customer.stack, customer.queue)
    customer.post(1)
    customer.until(delivered=1)
    job = customer.made("replay", **EVER)
    unknown = str(uuid.uuid4())
    of_subscriptions = [("POST", f"{SUBSCRIPTIONS}/%s/{what}") for what in ("redrive", "replay")]
    of_jobs = [("POST", f"{JOBS}/%s/{what}") for what in ("pause", "resume", "cancel")]
    tries = [
        *((customer.subscription, *each) for each in of_subscriptions),
        *((job["id"], *each) for each in (("GET", f"{JOBS}/%s"), *of_jobs)),
    ]
    with customer.stack.client(f"{customer.tenant}-x") as stranger:
        for theirs, method, path in tries:
            for dry_run in (False, True):
                body = EVER | {"dry_run": dry_run} if path.startswith(SUBSCRIPTIONS) else None
                answers = [
                    stranger.request(method, path % each, json=body) for each in (theirs, unknown)
                ]
                assert [each.status_code for each in answers] == [404, 404], (method, path)
                assert answers[0].content == answers[1].content
            assert stranger.request(method, path % "x", json=EVER).status_code == 400
        assert stranger.get(JOBS).json()["jobs"] == []
    with httpx.Client(base_url=customer.stack.api) as nobody:
        assert nobody.get(JOBS).status_code in (400, 401)


def test_a_person_is_asked_sees_how_far_it_is_and_may_leave(customer: Customer) -> None:
    customer.post(3)
    customer.until(dead=3)
    create_queue(customer.stack, customer.queue)
    where = ("--tenant", customer.tenant, "--home", str(customer.stack.home))
    of = ("deliveries", "redrive", "--subscription", customer.subscription)
    with Terminal(*of, "--messages-per-s", "1", *where) as terminal:
        terminal.until("Send 3 again?")
        terminal.type("n\n")
        assert terminal.end() == 1
    assert customer.client.get(JOBS).json()["jobs"] == []
    with customer.stack.freeze("route"), Terminal(*of, *where) as terminal:
        terminal.until("Send 3 again?")
        terminal.type("y\n")
        terminal.until("0/3")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        assert "The job goes on" in terminal.seen
    [job] = customer.client.get(JOBS).json()["jobs"]
    with Terminal("jobs", "show", job["id"], "--follow", *where) as terminal:
        assert terminal.end() == 0
        assert "Done: 3 sent" in terminal.seen
    with Terminal("jobs", "list", *where) as terminal:
        assert terminal.end() == 0
        assert job["id"] in terminal.seen
    with Terminal("jobs", "show", job["id"], *where) as terminal:
        assert terminal.end() == 0
        assert "100%" in terminal.seen


async def kill_router(stack: Stack) -> None:
    """And end its session, of 15 s, at once: tests/alone/test_kills.py waits for that."""
    async with group(stack.status["kafka"], ROUTE_GROUP) as routers:
        members = await routers.members()
        await asyncio.to_thread(stack.kill, "route")
        for member in members:
            await routers.leave(member)


def test_routers_that_are_killed_leave_nothing_out(customer: Customer) -> None:
    create_queue(customer.stack, customer.queue)
    lines = "\n".join(json.dumps(an_event(entity_id=str(n))) for n in range(400))
    ndjson = {"Content-Type": "application/x-ndjson"}
    customer.client.post(f"{EVENTS}:batch", content=lines, headers=ndjson).raise_for_status()
    eventually(lambda: customer.preview("replay", **EVER)["count"], until=lambda seen: seen == 400)
    job = customer.made("replay", **EVER, messages_per_s=100)

    def sent_more_than(count: int) -> bool:
        return bool(customer.job(job["id"])["sent"] > count)

    for _ in range(3):
        sent = customer.job(job["id"])["sent"]
        eventually(functools.partial(sent_more_than, sent))
        asyncio.run(kill_router(customer.stack))
    job = eventually(
        lambda: customer.job(job["id"]), until=lambda found: found["state"] == "done", within_s=180
    )
    assert (job["sent"], job["dead"], job["missing"]) == (400, 0, 0)
    ours = [each for each in customer.received() if attribute(each, "replay_id") == job["id"]]
    times = Counter(attribute(each, "event_id") for each in ours)
    assert len(times) == 400
    print(f"3 kills, 400 messages, {len(ours) - 400} of them twice")

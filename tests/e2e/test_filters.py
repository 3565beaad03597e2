"""A subscription's life on real servers: tried before, matched, explained, edited, told, gone."""

import base64
import json
import subprocess

import httpx

from tests import forked
from tests.builders import a_payload, an_event
from tests.paged import walk_by_filter
from tests.queues import arn
from tests.stack import Stack, events, eventually
from tests.subscribed import create_queue, receive

PATH = "/api/v1/subscriptions"
MERGE = {"Content-Type": "application/merge-patch+json"}
PATTERN = {
    "event_type": ["FAULT"],
    "entity_id": [{"wildcard": "order-*-eu"}],
    "key_attributes": {"amount": [{"numeric": [">", 100]}]},
    "payload": {"order": {"lines": {"sku": [{"prefix": "A"}], "count": [{"numeric": [">=", 2]}]}}},
}


def an_order(amount: str = "250", count: int = 2, **changes: object) -> dict[str, object]:
    document = {"order": {"lines": [{"sku": "B1", "count": 9}, {"sku": "A7", "count": count}]}}
    payload = a_payload(
        key_attributes={"amount": amount},
        base64_encoded_payload_json=base64.b64encode(json.dumps(document).encode()).decode(),
    )
    fields = {"event_type": "FAULT", "entity_id": "order-7-eu", "event_payload": payload}
    return an_event(**(fields | changes))


def test_the_life_of_a_subscription(stack: Stack, tenant: str) -> None:
    queue = create_queue(stack, f"orders-{tenant}")
    body = {
        "name": "large orders",
        "filter": PATTERN,
        "destination": {"type": "sqs", "arn": arn(f"orders-{tenant}")},
        "labels": {"team": "orders"},
    }
    with stack.client(tenant) as client:
        # before: what would it have accepted?
        earlier = [client.post("/api/v1/events", json=each) for each in some_orders()]
        assert {each.status_code for each in earlier} == {201}
        asked = {"filter": PATTERN}
        tried = eventually(
            lambda: client.post(f"{PATH}:test", json=asked).json(),
            until=lambda answer: answer["of"] == len(earlier),
        )
        assert (tried["matched"], tried["samples"]) == (1, [earlier[0].json()])
        assert tried["cost"]["rows_read"] >= len(earlier)
        assert walk_by_filter(client, asked | {"limit": 5}) == [earlier[0].json()]

        made = client.post(PATH, json=body, headers={"Idempotency-Key": "orders"})
        again = client.post(PATH, json=body, headers={"Idempotency-Key": "orders"})
        assert (made.status_code, again.status_code, again.content) == (201, 200, made.content)
        path = made.headers["Location"]

        others = [client.post("/api/v1/events", json=each) for each in some_orders()[1:]]
        posted = client.post("/api/v1/events", json=an_order())
        messages = eventually(lambda: receive(stack, queue))
        assert [message["Body"] for message in messages] == [posted.text]

        check_explained(client, made.json()["id"], posted.json()["id"], others[0].json()["id"])
        check_edited(client, path, made)
        assert client.delete(path).status_code == 204
        changes = client.get(f"{path}/changes").json()["items"]
        assert [each["action"] for each in changes] == ["delete", "patch", "create"]
        assert {each["by"] for each in changes} == {tenant}
        assert changes[1]["before"] == {"enabled": True}


def some_orders() -> list[dict[str, object]]:
    """One that the pattern accepts, and one for each clause that does not hold."""
    return [
        an_order(),
        an_order(amount="100"),
        an_order(count=1),  # two of them, but of another line
        an_order(event_type="WARNING"),
        an_order(entity_id="order-7-us"),
    ]


def check_explained(client: httpx.Client, subscription: str, yes: str, no: str) -> None:
    told = client.get(f"/api/v1/events/{yes}/explain").json()
    assert (told["matched"], told["of"]) == (1, 1)
    told = client.get(f"/api/v1/events/{no}/explain").json()
    assert (told["matched"], told["of"]) == (0, 1)
    assert "matched nothing" in told["detail"]
    [explained] = told["subscriptions"]
    assert explained["id"] == subscription
    [[unmet]] = explained["unmet"]
    assert (unmet["field"], unmet["value"], unmet["size"]) == ("key_attributes.amount", "100", 3)


def check_edited(client: httpx.Client, path: str, made: httpx.Response) -> None:
    seen = {"If-Match": made.headers["ETag"]}
    edited = client.patch(path, json={"enabled": False}, headers=MERGE | seen)
    assert (edited.status_code, edited.json()["enabled"]) == (200, False)
    assert client.patch(path, json={"name": "x"}, headers=MERGE | seen).status_code == 412
    assert client.get(path).headers["ETag"] == edited.headers["ETag"]


def test_pages_of_a_search_by_filter_show_every_match_once(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        wanted = set()
        for number in range(14):
            answer = client.post(
                "/api/v1/events", json=an_event(entity_id=f"{number % 2}-{number}")
            )
            wanted |= {answer.json()["id"]} if number % 2 else set()
        body = {"filter": {"entity_id": [{"prefix": "1-"}]}, "limit": 3}
        eventually(lambda: stack.counts(tenant)[0], until=lambda count: count == 14)
        seen = [event["id"] for event in walk_by_filter(client, body)]
        assert (len(seen), set(seen)) == (7, wanted)


def test_the_commands_do_the_same(stack: Stack, tenant: str) -> None:
    def run(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        of = ["--home", str(stack.home), "--tenant", tenant]
        return forked.run("cli", ["subscriptions", *arguments, *of], timeout_s=120, stdin=given)

    def told(*arguments: str, given: str = "") -> dict[str, object]:
        answer = run(*arguments, given=given)
        assert answer.returncode == 0, answer.stderr
        found: dict[str, object] = json.loads(answer.stdout)
        return found

    filter_ = {"event_type": ["FAULT"]}
    body = {"name": "faults", "filter": filter_, "destination": {"type": "sqs", "arn": arn("q")}}
    name = str(told("create", "-", "--key", "one", given=json.dumps(body))["id"])
    assert told("create", "-", "--key", "one", given=json.dumps(body))["id"] == name
    assert [each["id"] for each in told("list", "--json")["items"]] == [name]  # type: ignore[attr-defined]
    assert told("edit", name, "--disable")["enabled"] is False
    assert told("edit", name, "-", given='{"labels":{"a":"b"}}')["labels"] == {"a": "b"}
    paced = ["--messages-per-s", "200", "--retry-for", "36h", "--dead-letter", arn("dead")]
    assert told("edit", name, *paced, "--fairness", "entity")["delivery"] == {
        "fairness": "entity",
        "messages_per_s": 200,
        "retry_for_s": 129_600,
        "retry_pause_max_s": None,
        "dead_letter": {"type": "sqs", "arn": arn("dead")},
    }
    back = told("edit", name, "--messages-per-s", "0", "--dead-letter", "")["delivery"]
    assert (back["messages_per_s"], back["dead_letter"]) == (None, None)  # type: ignore[index]
    refused = run("edit", name, "--retry-for", "8d")
    assert (refused.returncode, "/delivery/retry_for_s" in refused.stderr) == (1, True)
    assert told("show", name)["name"] == "faults"
    actions = [each["action"] for each in told("show", name, "--changes")["items"]]  # type: ignore[attr-defined]
    assert actions == ["patch"] * 4 + ["create"]

    posted = events("post", "examples/event.json", "--tenant", tenant, home=stack.home)
    assert posted.returncode == 0, posted.stderr
    counted = eventually(
        lambda: told("test", "-", given=json.dumps(filter_)), until=lambda answer: answer["of"] == 1
    )
    sample = counted["samples"][0]["id"] if counted["samples"] else None  # type: ignore[index]
    assert sample is not None
    assert told("explain", str(sample))["matched"] == 1

    refused = run("test", "-", given='{"colour": ["red"]}')
    assert (refused.returncode, "/filter/colour" in refused.stderr) == (1, True)
    assert run("delete", name, "--yes").returncode == 0
    assert told("list")["items"] == []

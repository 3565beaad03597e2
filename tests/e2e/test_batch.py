"""POST /api/v1/events:batch over real HTTP: every item answered, the accepted ones durable."""

import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

from tests.builders import an_event, many_events
from tests.edge import edge
from tests.stack import Stack, eventually
from tests.subscribed import receive, subscribe
from tests.visible import visible

PATH = "/api/v1/events:batch"
NDJSON = {"Content-Type": "application/x-ndjson"}


def ndjson(*events: Any) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def test_a_thousand_events_in_one_request_are_found_and_counted(stack: Stack, tenant: str) -> None:
    bodies = many_events(1000)
    with stack.client(tenant) as client:
        answer = client.post(PATH, content="\n".join(bodies), headers=NDJSON)
        assert answer.status_code == 201, answer.text
        assert (answer.json()["accepted"], answer.json()["rejected"]) == (1000, 0)
        items = answer.json()["items"]
        assert {item["status"] for item in items} == {201}
        for index in (0, 499, 999):
            found = client.get(f"/api/v1/events/{items[index]['id']}")
            assert found.json()["entity_id"] == json.loads(bodies[index])["entity_id"]
    eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (1000, 1000))


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_compressed_array_is_taken(stack: Stack, tenant: str, encoding: str) -> None:
    body = json.dumps([an_event(entity_id=str(number)) for number in range(20)]).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zstandard.compress(body)
    with stack.client(tenant) as client:
        answer = client.post(PATH, content=packed, headers={"Content-Encoding": encoding})
        assert answer.status_code == 201, answer.text
        found = client.get(f"/api/v1/events/{answer.json()['items'][19]['id']}")
        assert found.json()["entity_id"] == "19"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
@pytest.mark.parametrize("media_type", ["application/x-ndjson", "application/json; charset=UTF-8"])
def test_a_byte_order_mark_is_skipped(
    stack: Stack, tenant: str, encoding: str, media_type: str
) -> None:
    event = json.dumps(an_event()).encode()
    body = b"\xef\xbb\xbf" + (event if "ndjson" in media_type else b"[" + event + b"]")
    packed = {"identity": body, "gzip": gzip.compress(body), "zstd": zstandard.compress(body)}
    headers = {"Content-Type": media_type, "Content-Encoding": encoding}
    with stack.client(tenant) as client:
        assert client.post(PATH, content=packed[encoding], headers=headers).status_code == 201
        single = client.post("/api/v1/events", content=b"\xef\xbb\xbf" + event)
        assert single.status_code == 201, single.text


def test_some_accepted_is_207_and_each_refused_item_says_why(stack: Stack, tenant: str) -> None:
    body = ndjson(an_event(), an_event(event_type="RUMOUR"), an_event()) + b'{"entity_id":\n'
    with stack.client(tenant) as client:
        answer = client.post(PATH, content=body, headers=NDJSON)
        assert answer.status_code == 207
        items = answer.json()["items"]
        assert [item["status"] for item in items] == [201, 405, 201, 400]
        assert items[1]["problem"]["errors"][0]["pointer"] == "/1/event_type"
        assert client.get(f"/api/v1/events/{items[2]['id']}").status_code == 200
    eventually(lambda: stack.counts(tenant), until=lambda counts: counts == (2, 2))


def test_a_batch_repeated_under_its_key_gives_the_same_ids(stack: Stack, tenant: str) -> None:
    body, headers = ndjson(an_event(), an_event()), NDJSON | {"Idempotency-Key": "batch-1"}
    with stack.client(tenant) as client:
        first = client.post(PATH, content=body, headers=headers).json()["items"]
        again = client.post(PATH, content=body, headers=headers).json()["items"]
        assert client.post("/api/v1/events", json=an_event()).status_code == 201  # comes after both
    assert first == again
    assert first[0]["id"] != first[1]["id"]
    eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 3)
    assert stack.counts(tenant) == (3, 3)


def test_another_event_under_a_used_key_is_refused_with_the_first_ones_id(
    stack: Stack, tenant: str
) -> None:
    headers = {"Idempotency-Key": "one"}
    with stack.client(tenant) as client:
        first = client.post("/api/v1/events", json=an_event(), headers=headers)
        other = client.post("/api/v1/events", json=an_event(event_type="FAULT"), headers=headers)
        assert (other.status_code, other.json()["id"]) == (422, first.json()["id"])
        assert other.headers["Content-Type"] == "application/problem+json"
        again = client.post("/api/v1/events", json=an_event(), headers=headers)
        assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
        of_another = client.post("/api/v1/events", json=an_event(entity_id="b"), headers=headers)
        assert of_another.status_code == 201
        assert of_another.json()["id"] != first.json()["id"]
        for answer in (first, of_another):
            assert client.get(answer.headers["Location"]).content == answer.content


def test_what_one_edge_does_not_know_the_log_decides(stack: Stack, tenant: str) -> None:
    headers = {"Idempotency-Key": "one"}
    with stack.client(tenant) as client, edge(stack) as (port, _):
        first = client.post("/api/v1/events", json=an_event(), headers=headers)
        elsewhere = f"http://127.0.0.1:{port}/api/v1/events"
        other = client.post(elsewhere, json=an_event(event_type="FAULT"), headers=headers)
        assert (other.status_code, other.json()["id"]) == (201, first.json()["id"])
        behind_both = client.post("/api/v1/events", json=an_event())  # of the same entity
        visible(client, behind_both.json()["id"])
        assert client.get(first.headers["Location"]).content == first.content


def test_an_item_with_another_body_is_refused_and_the_rest_of_the_batch_is_taken(
    stack: Stack, tenant: str
) -> None:
    headers = NDJSON | {"Idempotency-Key": "batch-1"}
    with stack.client(tenant) as client:
        first = client.post(PATH, content=ndjson(an_event(), an_event()), headers=headers).json()
        body = ndjson(an_event(event_type="FAULT"), an_event(), an_event(entity_id="b"))
        answer = client.post(PATH, content=body, headers=headers)
        assert answer.status_code == 207
        refused, repeated, new = answer.json()["items"]
        assert (refused["status"], refused["problem"]["id"]) == (422, first["items"][0]["id"])
        assert repeated == first["items"][1]
        found = client.get(f"/api/v1/events/{first['items'][0]['id']}").json()
        assert found["event_type"] == "ENTITY_EVENT"
        assert client.get(f"/api/v1/events/{new['id']}").json()["entity_id"] == "b"


def test_a_batch_repeated_under_its_key_reaches_a_fifo_queue_once(
    stack: Stack, tenant: str
) -> None:
    name = f"{tenant}.fifo"
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "false"}
    queue = stack.sqs().create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
    body, headers = ndjson(an_event(), an_event()), NDJSON | {"Idempotency-Key": "batch-1"}
    with stack.client(tenant) as client:
        subscribe(client, name)
        items = client.post(PATH, content=body, headers=headers).json()["items"]
        assert client.post(PATH, content=body, headers=headers).json()["items"] == items
        proof = client.post("/api/v1/events", json=an_event()).json()  # the same entity: comes last
    wanted = [*(item["id"] for item in items), proof["id"]]
    received: list[str] = []

    def take() -> list[str]:
        for message in receive(stack, queue):
            received.append(json.loads(str(message["Body"]))["id"])
            stack.sqs().delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return received

    assert eventually(take, until=lambda ids: proof["id"] in ids) == wanted


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (ndjson(an_event(operation=1), {}), NDJSON, 405),
        (b"\n\n", NDJSON, 405),
        (b"{}", {}, 405),
        (b"[{", {}, 400),
        (b"", {"Content-Type": "text/csv"}, 415),
        (ndjson(an_event()), {"Content-Type": "application/x-ndjson; charset=utf-16"}, 415),
        (b"[" * 1_000, {}, 400),
        (b'[{"entity_id":' + b"[" * 1_000, {}, 400),
        (gzip.compress(ndjson(an_event())) + b"tail", NDJSON | {"Content-Encoding": "gzip"}, 400),
        (b"rubbish", NDJSON | {"Content-Encoding": "gzip"}, 400),
        (gzip.compress(bytes(20_000_000)), NDJSON | {"Content-Encoding": "gzip"}, 413),
        (b"{}\n" * 10_001, NDJSON, 413),
        (ndjson(an_event()), NDJSON | {"Authorization": "Bearer no"}, 401),
    ],
)
def test_what_cannot_be_accepted_is_refused_whole(
    stack: Stack, tenant: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    with stack.client(tenant) as client:
        answer: httpx.Response = client.post(PATH, content=body, headers=headers)
        assert answer.status_code == status, answer.text
        if status == 405:
            assert answer.headers["Allow"] == "POST"

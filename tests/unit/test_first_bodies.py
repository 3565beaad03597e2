"""Two bodies under one Idempotency-Key: what an edge knows of the first, and when it forgets."""

import asyncio
import json
from typing import Any

import pytest

from contracts.problems import Problem
from contracts.topics import EVENTS
from ingest.admission import Admission, Rate, Rates
from ingest.batch import BatchLimits, PostBatch
from ingest.budget import Budget
from ingest.events import PostEvent
from ingest.first_bodies import FirstBodies
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.connections import Access, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits, Unaccepted
from tests.builders import an_event

ID, OTHER = "01a20d33-994f-84a1-8936-e15ecec113da", "01a20d33-994f-84a1-8936-e15ecec113db"
LIMITS = BatchLimits(items=3, body_bytes=100_000, event_bytes=10_000)


class Anybody(Verifier):
    def known(self, headers: dict[bytes, bytes]) -> str | None:
        return "acme"

    async def tenant(self, headers: dict[bytes, bytes]) -> str:
        return "acme"


class FakeLog(EventLog):
    """Takes everything, or nothing."""

    def __init__(self) -> None:
        super().__init__(KafkaConnection(), (EVENTS,), QueueLimits(1000, 1))
        self.takes = True
        self.appended = 0

    def append(self, topic: str, record: Any) -> asyncio.Future[int]:
        if not self.takes:
            raise Unaccepted("full")
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        future.set_result(0)
        self.appended += 1
        return future

    async def append_all(self, topic: str, records: Any) -> list[Exception | None]:
        self.appended += self.takes * len(records)
        return [None if self.takes else Unaccepted("full") for _ in records]


class Edge:
    """The two handlers that post, with one memory."""

    def __init__(self) -> None:
        access, admission = Access(), Admission(Rates(Rate(), {}), Budget(1_000_000))
        verifier = Anybody(access, SigningKeys(access))
        self.log, self.bodies = FakeLog(), FirstBodies()
        self._single = PostEvent(verifier, admission, self.log, self.bodies, LIMITS.event_bytes)
        self._batch = PostBatch(verifier, admission, self.log, self.bodies, LIMITS)

    def post(self, body: object, key: bytes | None = b"k") -> tuple[int, Any]:
        """Status and document of one event's answer, or of a batch's when `body` is a list or bytes."""
        handler = self._batch if isinstance(body, list | bytes) else self._single
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-type", b"application/json")]
        headers += [] if key is None else [(b"idempotency-key", key)]
        try:
            asyncio.run(handler({"headers": headers}, receive, send))
        except Problem as problem:
            return problem.status, problem.document()
        return sent[0]["status"], json.loads(sent[-1]["body"])


def test_another_body_is_refused_and_names_the_first_ones_id() -> None:
    bodies = FirstBodies()
    assert bodies.check(ID, b"one")
    assert not bodies.check(ID, b"one")
    assert bodies.check(OTHER, b"two")
    with pytest.raises(Problem) as refused:
        bodies.check(ID, b"two")
    assert (refused.value.status, refused.value.document()["id"]) == (422, ID)
    assert not bodies.check(ID, b"one"), "the refused one has not taken its place"


def test_the_oldest_are_forgotten_at_the_bound_and_what_was_not_stored_at_once() -> None:
    bodies = FirstBodies(bodies_max=2)
    for number in range(3):
        assert bodies.check(f"{number}", b"one")
    assert not bodies.check("1", b"one")
    assert bodies.check("0", b"two")
    with pytest.raises(Problem):
        bodies.check("2", b"two")
    bodies.forget(["2", "never known"])
    assert bodies.check("2", b"two")


def test_another_event_under_the_key_is_refused_unless_it_is_of_another_entity() -> None:
    edge = Edge()
    status, first = edge.post(an_event())
    assert status == 201
    assert edge.post(an_event()) == (201, first)
    status, problem = edge.post(an_event(event_type="FAULT"))
    assert (status, problem["id"]) == (422, first["id"])
    status, other = edge.post(an_event(entity_id="another", event_type="FAULT"))
    assert status == 201
    assert other["id"] != first["id"]
    assert edge.log.appended == 3
    assert edge.post(an_event(event_type="FAULT"), key=None)[0] == 201


def test_the_same_event_written_otherwise_is_the_same_event() -> None:
    edge, event = Edge(), an_event()
    first = edge.post(event)
    assert edge.post(dict(reversed(event.items())) | {"entity_name": None}) == first


@pytest.mark.parametrize("body", [an_event(), [an_event()]], ids=["one", "batch"])
def test_what_kafka_did_not_take_is_not_the_first(body: Any) -> None:
    edge = Edge()
    edge.log.takes = False
    assert edge.post(body)[0] == 503
    edge.log.takes = True
    other = an_event(event_type="FAULT")
    assert edge.post([other] if isinstance(body, list) else other)[0] == 201


def test_an_item_of_a_batch_is_refused_by_its_own_body_and_the_others_are_taken() -> None:
    edge = Edge()
    _, first = edge.post([an_event(), an_event()])
    status, answer = edge.post([an_event(event_type="FAULT"), an_event(), an_event()])
    assert status == 207
    refused, repeated, new = answer["items"]
    assert (refused["status"], refused["problem"]["id"]) == (422, first["items"][0]["id"])
    assert repeated == first["items"][1]
    assert new["status"] == 201
    assert edge.log.appended == 4


@pytest.mark.parametrize("tail", [b"]" * 3, b"," + b",".join([b"{}"] * 3) + b"]"])
def test_a_batch_that_is_refused_whole_leaves_nothing_behind(tail: bytes) -> None:
    """The client mends it and sends it under its key again, with other items in its places."""
    edge = Edge()
    assert edge.post(b"[" + json.dumps(an_event()).encode() + tail)[0] in (400, 413)
    assert edge.post([an_event(event_type="FAULT")])[0] == 201
    assert edge.post([an_event()])[0] == 405


def test_a_refused_batch_takes_nothing_from_what_was_known_before() -> None:
    edge = Edge()
    edge.post([an_event()])
    assert edge.post(b"[" + json.dumps(an_event()).encode() + b"]]]")[0] == 400
    _, answer = edge.post([an_event(event_type="FAULT"), an_event()])
    assert [item["status"] for item in answer["items"]] == [422, 201]

"""DELETE's patience: bounded, whatever ClickHouse says, and no claim without Kafka."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clickhouse.table import read_events
from contracts.problems import Problem
from contracts.topics import EVENTS
from query.erase import DeleteEvent
from query.lookup import Lookup
from query.store import EventStore
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.clickhouse import ClickHouseFailed
from service.connections import Access, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.builders import an_event, represented

ID = uuid.UUID("01a20d33-994f-74a1-8936-e15ecec113da")
_event = json.loads(represented(an_event(), str(ID)))
_inner = _event.pop("event_payload")
_columns = {"operation": _inner["operation"], "key_attributes": _inner["key_attributes"]}
_columns |= {"payload_entity_id": _inner["entity_id"], "payload": None, "fault": None}
_columns |= {"precedence": 5, "received_ms": 1_790_000_000_000, "erased": 0}
LINE = json.dumps({"tenant": "acme", **_event, **_columns}).encode()
ERASED_LINE = json.dumps(json.loads(LINE) | {"erased": 1}).encode()
ERASED_NAME = json.dumps(["acme", str(ID)]).encode()
WAITS_S = 0.3


def lookup(
    answers: Callable[[], bytes], recent_s: float = 0, erased: Callable[[], bytes] = bytes
) -> Lookup:
    """One whose ClickHouse `answers` the question for the event, and that whether it was `erased`."""

    async def select(sql: str) -> bytes:
        return erased() if "DISTINCT" in sql else answers()

    store = EventStore(select, "events", ids_max=10, queries_max=1, waiting_max=10)
    return Lookup(store, recent_s, visible_timeout_s=WAITS_S)


def waited_s(answers: Callable[[], bytes]) -> float:
    async def wait() -> float:
        begun = time.monotonic()
        await lookup(answers).wait_until_gone("acme", ID)
        return time.monotonic() - begun

    return asyncio.run(wait())


def away() -> bytes:
    raise ClickHouseFailed("nobody there")


@pytest.mark.parametrize("answers", [lambda: LINE, away])
def test_an_event_that_stays_is_waited_for_until_the_time_is_up(
    answers: Callable[[], bytes],
) -> None:
    assert waited_s(answers) >= WAITS_S


def test_an_event_that_has_gone_is_waited_for_no_longer() -> None:
    found = iter([LINE, LINE])
    assert waited_s(lambda: next(found, b"")) < WAITS_S
    assert next(found, None) is None


async def test_without_a_connection_to_kafka_nothing_is_erased_and_that_is_said() -> None:
    class Anybody(Verifier):
        async def tenant(self, headers: dict[bytes, bytes]) -> str:
            return "acme"

    async def never(message: Any = None) -> Any:
        raise AssertionError("neither read nor answered")

    async def delete() -> None:
        access = Access()
        log = EventLog(KafkaConnection(), (EVENTS,), QueueLimits(1000, 1))  # never started
        handler = DeleteEvent(Anybody(access, SigningKeys(access)), lookup(lambda: LINE), log)
        scope = {"headers": [], "path_params": {"eventId": str(ID)}}
        await handler(scope, never, never)

    with pytest.raises(Problem) as refused:
        await delete()
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
    assert refused.value.detail.startswith("Nothing was erased: ")


@pytest.mark.parametrize("row", [b"", ERASED_LINE], ids=["gone", "still there"])
async def test_an_erased_event_is_not_waited_for_though_its_id_is_recent(row: bytes) -> None:
    asked = []

    def erased() -> bytes:
        asked.append(1)
        return ERASED_NAME

    found = lookup(lambda: row, recent_s=2**40, erased=erased)
    assert await found.find("acme", ID) is None
    assert len(asked) == 1
    await lookup(lambda: row, erased=erased).wait_until_gone("acme", ID)
    assert len(asked) == 2


@given(st.lists(st.integers(-2, 3), min_size=1, max_size=4))
def test_of_an_events_rows_the_one_of_the_highest_precedence_is_the_answer(
    precedences: list[int],
) -> None:
    lines = [
        json.dumps(json.loads(LINE) | {"precedence": each, "entity_name": f"{each}"})
        for each in precedences
    ]
    found = read_events("\n".join(lines).encode())
    assert json.loads(found["acme", str(ID)])["entity_name"] == f"{max(precedences)}"

"""What a lookup waits for: the view or the log, within its bounds; DELETE makes no claim without Kafka."""

import asyncio
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clickhouse.table import ERASED, read_events
from contracts.ids import derived_id
from contracts.problems import Problem
from contracts.topics import EVENTS
from query.erase import DeleteEvent
from query.log import LogLookup
from query.lookup import HEAD_START_S, YOUNG_S, Lookup
from query.store import EventStore
from service.access.keys import SigningKeys
from service.access.verifier import Verifier
from service.clickhouse import ClickHouseFailed
from service.connections import Access, KafkaConnection
from service.kafka.eventlog import EventLog
from service.kafka.partition import QueueLimits
from tests.builders import an_event, represented
from tests.stack import DEADLINE_S

ID = uuid.UUID("01a20d33-994f-74a1-8936-e15ecec113da")
_event = json.loads(represented(an_event(), str(ID)))
_inner = _event.pop("event_payload")
_columns = {"operation": _inner["operation"], "key_attributes": _inner["key_attributes"]}
_columns |= {"payload_entity_id": _inner["entity_id"], "payload_base64": None, "fault_base64": None}
_columns |= {"precedence": 5, "received_ms": 1_790_000_000_000, "erased": 0}
LINE = json.dumps({"tenant": "acme", **_event, **_columns}).encode()
ERASED_LINE = json.dumps(json.loads(LINE) | {"erased": 1}).encode()
ERASED_NAME = json.dumps(["acme", str(ID)]).encode()
WAITS_S = 0.3


FOR_EVER_S = 2.0**40


class Log(LogLookup):
    """Answers `found` after `after_s`; `asked` counts."""

    def __init__(self, found: bytes | None, after_s: float = 0) -> None:
        self.asked = 0
        self._found, self._after_s = found, after_s

    async def find(self, tenant: str, event_id: uuid.UUID) -> bytes | None:
        self.asked += 1
        await asyncio.sleep(self._after_s)
        return self._found


def lookup(
    answers: Callable[[], bytes],
    recent_s: float = 0,
    erased: Callable[[], bytes] = bytes,
    log: LogLookup | None = None,
) -> Lookup:
    """One whose ClickHouse `answers` the question for the event, and that whether it was `erased`."""

    async def select(sql: str) -> bytes:
        return erased() if "DISTINCT" in sql else answers()

    store = EventStore(select, "events", ids_max=10, queries_max=1, waiting_max=10)
    return Lookup(store, recent_s, WAITS_S, log_lookup=log)


def waited_s(answers: Callable[[], bytes]) -> float:
    async def wait() -> float:
        begun = time.monotonic()
        await lookup(answers).wait_until_gone("acme", ID)
        return time.monotonic() - begun

    return asyncio.run(wait())


def away() -> bytes:
    raise ClickHouseFailed("nobody there")


@pytest.mark.parametrize("answers", [lambda: LINE, bytes, away])
def test_an_event_that_stays_is_waited_for_until_the_time_is_up(
    answers: Callable[[], bytes],
) -> None:
    assert waited_s(answers) >= WAITS_S


async def test_an_event_that_is_erased_is_waited_for_no_longer() -> None:
    """That the view has no row of it is not enough: it may be out of the log, and still come."""
    found, asked = iter([LINE, b"", b""]), []

    def erased() -> bytes:
        asked.append(1)
        return ERASED_NAME if len(asked) == 2 else b""

    waiting = lookup(lambda: next(found), erased=erased)
    waiting._visible_timeout_s = FOR_EVER_S
    await waiting.wait_until_gone("acme", ID)
    assert (next(found, None), len(asked)) == (None, 2)


def made_s_ago(seconds: float) -> uuid.UUID:
    return uuid.UUID(int=round(1000 * (time.time() - seconds)) << 80 | 7 << 76 | 2 << 62)


async def test_the_log_answers_for_what_the_view_does_not_have() -> None:
    for age_s in (0.0, 30.0):
        log, asked = Log(b"found"), list[int]()

        def empty() -> bytes:
            asked.append(1)  # noqa: B023
            return b""

        looking = lookup(empty, FOR_EVER_S, log=log)
        assert await looking.find("acme", made_s_ago(age_s)) == b"found"
        assert (log.asked, dict(looking.answered)) == (1, {"log": 1})
        assert bool(asked) == (age_s > YOUNG_S)  # the view of a young one is not asked at all


async def test_the_log_answers_while_the_view_is_away_or_hangs() -> None:
    assert (
        await lookup(away, FOR_EVER_S, log=Log(b"found")).find("acme", made_s_ago(30)) == b"found"
    )

    async def hangs(sql: str) -> bytes:
        await asyncio.sleep(FOR_EVER_S)
        return b""

    store = EventStore(hangs, "events", ids_max=10, queries_max=1, waiting_max=10)
    log = Log(b"found", after_s=2 * HEAD_START_S)
    looking = Lookup(store, FOR_EVER_S, FOR_EVER_S, log_lookup=log)
    async with asyncio.timeout(DEADLINE_S):
        assert await looking.find("acme", made_s_ago(0)) == b"found"


async def test_what_the_log_has_erased_is_not_there() -> None:
    assert await lookup(bytes, FOR_EVER_S, log=Log(ERASED)).find("acme", made_s_ago(0)) is None


@pytest.mark.parametrize("log", [Log(None), Log(b"late", after_s=FOR_EVER_S)], ids=["no", "hangs"])
async def test_a_log_that_does_not_tell_delays_the_view_by_its_head_start_at_most(log: Log) -> None:
    line = LINE.replace(str(ID).encode(), str(young := made_s_ago(0)).encode())
    found = iter([b""])
    looking = lookup(lambda: next(found, line), FOR_EVER_S, log=log)
    async with asyncio.timeout(DEADLINE_S):
        assert await looking.find("acme", young)
    assert dict(looking.answered) == {"view": 1}


async def test_the_log_is_not_asked_for_what_is_long_ago_or_has_no_time() -> None:
    log, recent_s = Log(b"found"), 60
    long_ago, yet_to_come = uuid.UUID(int=7 << 76 | 2 << 62), made_s_ago(-(2.0**30))
    derived = uuid.UUID(derived_id("acme", b"key", 0, "1"))
    for event_id in (long_ago, yet_to_come, derived):
        assert await lookup(bytes, recent_s, log=log).find("acme", event_id) is None
    assert log.asked == 0


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

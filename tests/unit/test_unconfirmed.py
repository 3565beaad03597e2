"""What is answered when Kafka does not confirm a change, or its table does not follow in time."""

from typing import Any

import pytest

from contracts.filters import View
from contracts.jobs import Jobs
from contracts.paths import SUBSCRIPTIONS
from contracts.problems import Problem
from query import explain
from query.erase import DeleteEvent
from query.job_store import JobStore
from service.kafka.partition import Unacknowledged
from tests.fakes.edge import BODY, Edge, Follower, Log
from tests.unit.test_deliver import a_subscription
from tests.unit.test_jobs import a_job
from tests.unit.test_lookup import ID, LINE, lookup


async def never_visible(offset: int, timeout_s: float) -> bool:
    return False


def jobs() -> tuple[Any, Log]:
    """A table of jobs and its log."""
    follower: Any = Follower()
    follower.table = Jobs()
    return follower, Log(follower)


def test_a_subscription_that_is_not_confirmed_may_be_sent_again() -> None:
    edge = Edge()
    edge.log.away = True
    answer = edge.ask("POST", SUBSCRIPTIONS, json=BODY)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["detail"] == "The change is not confirmed: no answer. Try again."


def test_a_subscription_that_is_stored_and_not_seen_yet_is_not_called_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edge = Edge()
    monkeypatch.setattr(edge.follower, "wait_for", never_visible)
    answer = edge.ask("POST", SUBSCRIPTIONS, json=BODY)
    assert answer.status_code == 503
    assert answer.json()["detail"] == "The change is stored and not visible yet."
    assert len(edge.log.records) == 2  # itself, and who made it


async def test_a_job_that_is_not_confirmed_may_be_asked_for_again() -> None:
    follower, log = jobs()
    log.away = True
    store: Any = JobStore(log, follower)  # type: ignore[arg-type]
    with pytest.raises(Problem) as refused:
        await store.put(a_job())
    assert refused.value.status == 503
    assert refused.value.detail == "The job is not confirmed: no answer. Try again."


async def test_a_job_that_is_stored_and_not_seen_yet_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    follower, log = jobs()
    monkeypatch.setattr(follower, "wait_for", never_visible)
    store: Any = JobStore(log, follower)  # type: ignore[arg-type]
    with pytest.raises(Problem) as refused:
        await store.put(a_job())
    assert (refused.value.status, refused.value.extra) == (503, {"id": a_job().id})
    assert len(log.records) == 1


async def test_whether_an_event_is_erased_is_not_known_without_kafkas_answer() -> None:
    class Silent:
        async def append(self, topic: str, record: Any) -> int:
            raise Unacknowledged("no answer")

    class Anybody:
        async def tenant(self, headers: dict[bytes, bytes]) -> str:
            return "acme"

    async def never(message: Any = None) -> Any:
        raise AssertionError("neither read nor answered")

    parts: Any = (Anybody(), lookup(lambda: LINE), Silent())
    handler = DeleteEvent(*parts)
    with pytest.raises(Problem) as refused:
        await handler({"headers": [], "path_params": {"eventId": str(ID)}}, never, never)
    assert refused.value.status == 503
    assert refused.value.detail.startswith("Whether the event will be erased is unknown: no answer")
    assert "a repeat does no harm" in refused.value.detail


def test_a_filter_that_fails_costs_its_subscription_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> Any:
        raise RecursionError("too deep")

    monkeypatch.setattr(explain, "explain", fails)
    view: Any = object.__new__(View)  # not looked at
    told = explain._told(a_subscription(), view)
    assert (told["matches"], told["unmet"]) == (False, [])
    assert told["inactive"] == "its filter cannot be evaluated: RecursionError('too deep')"

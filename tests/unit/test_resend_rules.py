"""What a redrive or a replay is refused for."""

import time

import pytest

from contracts.jobs import POSITIONS_MAX, RUNNING_MAX, Jobs, Progress, encode, job_key
from contracts.problems import Problem
from query.resend_rules import last_redrive, may_be_ahead, require_followed, require_room, too_many
from tests.queues import arn
from tests.unit.test_deliver import a_subscription
from tests.unit.test_job_standing import a_job, put

SUBSCRIPTION = a_subscription(arn("q"), id="s")


def refusal(table: Jobs, enabled: bool = True) -> str:
    subscription = a_subscription(arn("q"), id="s", enabled=enabled)
    with pytest.raises(Problem) as refused:
        require_room(table, "acme", subscription, "redrive")
    assert refused.value.status == 409
    return refused.value.detail


def test_a_redrive_begins_when_none_of_the_subscription_is_under_way() -> None:
    table = Jobs()
    put(table, a_job("ended", at=9), {0: "done", 4: "done"})
    put(table, a_job("other", subscription_id="t"), {})
    put(table, a_job("replay", kind="replay"), {})
    require_room(table, "acme", SUBSCRIPTION, "redrive")
    assert "disabled" in refusal(table, enabled=False)
    put(table, a_job("mine", "paused", at=10), {0: "done"})
    assert "mine" in refusal(table)
    require_room(table, "acme", SUBSCRIPTION, "replay")
    last = last_redrive(table, "acme", SUBSCRIPTION)
    assert last is not None
    assert last.id == "mine"


def test_a_tenant_has_so_many_jobs_at_once_and_no_other_tenants_count() -> None:
    table = Jobs()
    for number in range(RUNNING_MAX):
        put(table, a_job(f"j{number}", tenant="emca", kind="replay"), {})
        put(table, a_job(f"c{number}", "cancelled", kind="replay"), {})
    require_room(table, "acme", SUBSCRIPTION, "redrive")
    for number in range(RUNNING_MAX):
        put(table, a_job(f"r{number}", kind="replay"), {})
    assert f"the limit is {RUNNING_MAX}" in refusal(table)


def test_the_ledger_must_have_followed_the_redrive_before() -> None:
    table, now_ms = Jobs(), time.time_ns() // 1_000_000
    put(table, a_job("old", at=5), {0: "done", 4: "done"})
    assert not may_be_ahead(table, table.of("acme")[0])
    put(table, a_job("new", at=now_ms), {})
    [new, _] = table.of("acme")
    assert may_be_ahead(table, new)
    require_followed(table, new, 0)  # it has done nothing
    done = Progress(at=now_ms, state="done", next=3, sent=2, dead=1)
    table.apply(job_key("acme", "new", 0), encode(done))
    require_followed(table, new, 3)
    with pytest.raises(Problem) as behind:
        require_followed(table, new, 2)
    assert behind.value.status == 503


def test_a_replay_that_is_too_large_says_by_how_much() -> None:
    problem = too_many(POSITIONS_MAX + 1)
    assert problem.status == 400
    [error] = problem.errors
    assert (error["limit"], error["size"]) == (POSITIONS_MAX, POSITIONS_MAX + 1)

"""How far a job is, all partitions together; what is kept of jobs that have ended."""

from typing import Any

import pytest

from contracts.jobs import (
    ENDED_KEPT,
    Job,
    Jobs,
    JobState,
    Progress,
    Reached,
    Wish,
    encode,
    job_key,
    standing,
    without_positions,
)
from query.job_store import tidied


def a_job(job_id: str = "j", state: Wish = "running", at: int = 5, **more: Any) -> Job:
    known: dict[str, Any] = {"tenant": "acme", "subscription_id": "s", "kind": "redrive"}
    known |= {"created_by": "me", "positions": {"0": [1, 2, 3], "4": [9]}}
    return Job(id=job_id, state=state, created_at=at, **known | more)


@pytest.mark.parametrize(
    ("wish", "reached", "shown", "parts_ended"),
    [
        ("running", {}, "running", False),
        ("running", {0: "done"}, "running", False),
        ("running", {0: "done", 4: "running"}, "running", False),
        ("paused", {0: "done", 4: "running"}, "paused", False),
        ("paused", {0: "done", 4: "done"}, "done", True),  # it came too late
        ("running", {0: "done", 4: "done"}, "done", True),
        ("running", {0: "done", 4: "cancelled"}, "cancelled", True),  # its subscription is gone
        ("cancelled", {0: "running"}, "cancelled", False),
        ("cancelled", {0: "cancelled", 4: "done"}, "cancelled", True),
        ("cancelled", {0: "done", 4: "done"}, "done", True),
    ],
)
def test_its_state(
    wish: Wish, reached: dict[int, Reached], shown: JobState, parts_ended: bool
) -> None:
    progress = {each: Progress(at=1, state=state) for each, state in reached.items()}
    found = standing(a_job(state=wish), progress)
    assert (found.state, found.parts_ended) == (shown, parts_ended)
    assert found.has_ended == (shown in ("done", "cancelled"))


def test_its_sums() -> None:
    assert standing(a_job(), {}) == ("running", False, 0, 0, 0, 0, 5, "")
    parts = {
        0: Progress(at=70, state="running", next=2, sent=1, dead=1),
        4: Progress(at=60, state="cancelled", next=1, missing=1, reason="why"),
        7: Progress(at=99, state="done", next=50, sent=50),  # none of its partitions
    }
    assert standing(a_job(), parts) == ("running", False, 1, 1, 1, 75, 70, "why")
    done = {0: Progress(at=1, state="done", next=3), 4: Progress(at=2, state="done", next=1)}
    assert standing(a_job(), done).per_cent == 100
    assert standing(a_job(positions={}), {}).state == "done"


def test_an_ended_job_forgets_its_positions_and_nothing_else() -> None:
    small = without_positions(a_job(beyond=3))
    assert (small.positions, small.count, small.sizes) == ({}, 4, {0: 3, 4: 1})
    assert without_positions(small) == small
    done = {0: Progress(at=1, state="done", next=3), 4: Progress(at=2, state="done", next=1)}
    assert standing(small, done) == standing(a_job(beyond=3), done)


def test_of_ended_jobs_the_newest_are_kept_small_and_the_others_go_with_their_progress() -> None:
    table, count = Jobs(), ENDED_KEPT + 3
    for number in range(count):
        put(table, a_job(f"j{number:03}", at=number), {0: "done", 4: "done"})
    put(table, a_job("open", at=0), {0: "done"})
    put(table, a_job("late", "cancelled", at=count), {0: "done"})  # a router is still at it
    put(table, a_job("theirs", tenant="emca"), {0: "done", 4: "done"})
    for key, value in tidied(table, "acme"):
        table.apply(key, value)
    left = table.of("acme")
    assert [each.id for each in left[:2]] == ["late", "j102"]
    assert len(left) == ENDED_KEPT + 1
    assert {each.id for each in left if each.positions} == {"late", "open"}
    assert not table.progress(a_job("j000"))
    assert table.standing(left[1]).state == "done"
    assert table.of("emca")[0].positions
    assert list(tidied(table, "acme")) == []


def put(table: Jobs, job: Job, reached: dict[int, Reached]) -> None:
    table.apply(job_key(job.tenant, job.id), encode(job))
    for partition, state in reached.items():
        value = encode(Progress(at=1, state=state))
        table.apply(job_key(job.tenant, job.id, partition), value)

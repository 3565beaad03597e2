"""Who is let in: the budget of the process, the rate of a tenant."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.problems import Problem
from ingest import admission
from ingest.admission import Rate, Rates
from ingest.budget import Budget, Held

RATE = Rate(events_per_s=10, bytes_per_s=1000, burst_s=2)


class Clock:
    """A time that only the test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admission, "time", clock)
    return clock


def admitted(rates: Rates, tenant: str, size_bytes: int = 1) -> int:
    """How many requests in a row are let in."""
    count = 0
    while rates.admit(tenant, size_bytes) is None:
        count += 1
    return count


def test_a_burst_is_let_in_and_then_the_rate(clock: Clock) -> None:
    rates = Rates(RATE, {})
    assert admitted(rates, "acme") == 20
    clock.now_s += 1
    assert admitted(rates, "acme") == 10
    clock.now_s += 3600
    assert admitted(rates, "acme") == 20


def test_one_tenant_does_not_pay_for_another(clock: Clock) -> None:
    rates = Rates(RATE, {"other": Rate(events_per_s=1, burst_s=3)})
    assert admitted(rates, "acme") == 20
    assert admitted(rates, "other") == 3
    assert admitted(rates, "third") == 20


def test_a_batch_is_paid_in_full_before_the_next_request(clock: Clock) -> None:
    rates = Rates(RATE, {})
    assert rates.admit("acme", 100) is None
    rates.charge("acme", 49, 0)
    refusal = rates.admit("acme", 1)
    assert refusal is not None
    assert refusal.status == 429
    assert refusal.headers["Retry-After"] == "4"  # from 30 below zero at 10 a second
    assert refusal.headers["RateLimit"] == '"events";r=0;t=4'
    assert refusal.headers["RateLimit-Policy"] == '"events";q=20;w=2, "bytes";q=2000;w=2'
    assert refusal.extra["violated-policies"] == ["events"]
    clock.now_s += 4
    assert rates.admit("acme", 1) is None


def test_bytes_are_counted_beside_events(clock: Clock) -> None:
    rates = Rates(RATE, {})
    assert admitted(rates, "acme", 1000) == 2
    refusal = rates.admit("acme", 1)
    assert refusal is not None
    assert refusal.extra["violated-policies"] == ["bytes"]


def test_no_more_tenants_are_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "TENANTS_MAX", 3)
    rates = Rates(RATE, {})
    for number in range(10):
        rates.admit(f"t{number}", 1)
    assert len(rates._buckets) == 3


async def test_a_refusal_is_raised_and_holds_nothing() -> None:
    rates = Rates(RATE, {})
    with pytest.raises(Problem):
        await rates.refuse(Problem(429, "enough"))
    assert rates._paused == 0


@given(st.lists(st.lists(st.integers(0, 50), max_size=5), max_size=8))
def test_the_budget_is_whole_again_whatever_was_refused(requests: list[list[int]]) -> None:
    budget = Budget(100)
    held: list[Held] = []
    for sizes in requests:
        try:
            with Held(budget, "a") as share:
                total = 0
                for size in sizes:
                    share.grow_to(total := total + size)
                    assert budget.used <= 100 or budget.used == share.size_bytes
        except Problem as problem:
            refused = problem
            assert refused.status == 503
    assert not held
    assert budget.used == 0


async def test_a_body_is_held_as_it_arrives_and_given_back_whatever_ends_it() -> None:
    async def parts(*sizes: int) -> AsyncIterator[bytes]:
        for size in sizes:
            seen.append(budget.used)
            yield bytes(size)

    async def read(*sizes: int) -> int:
        return sum([len(part) async for part in budget.arriving(parts(*sizes), 10, "a")])

    budget, seen = Budget(100), list[int]()
    assert await read(20, 30) == 50
    assert seen == [10, 30]
    assert budget.used == 0
    budget.take(50)
    with pytest.raises(Problem) as refused:
        await read(20, 30)
    assert refused.value.status == 503
    assert budget.used == 50


def test_what_is_in_hand_is_bounded_and_one_request_always_has_a_chance() -> None:
    budget = Budget(100)
    budget.take(1000)
    with pytest.raises(Problem) as refused:
        budget.take(1)
    assert refused.value.status == 503
    assert refused.value.headers["Retry-After"]
    budget.give(1000)
    assert budget.used == 0


def test_a_tenant_holds_no_more_than_it_leaves_free_and_one_request_may_hold_all() -> None:
    budget = Budget(100)
    with Held(budget, "a") as first, Held(budget, "a") as second, Held(budget, "b") as other:
        first.grow_to(40)
        second.grow_to(10)
        with pytest.raises(Problem) as refused:
            second.grow_to(11)
        assert refused.value.status == 503
        assert "50 bytes of the tenant's requests" in refused.value.detail
        other.grow_to(50)
        assert budget.of_tenant == {"a": 50, "b": 50}
    assert budget.used == 0
    assert not budget.of_tenant
    with Held(budget, "a") as alone:
        alone.grow_to(100)

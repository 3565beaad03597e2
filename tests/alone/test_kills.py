"""Each process of the stack killed while events are posted: nothing is lost, nothing is doubled."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.builders import many_events
from tests.missing import missing
from tests.stack import Stack, eventually

VICTIMS = ["api", "materialize", "route", "ledger", "clickhouse", "kafka", "sqs", "issuer"]


def post_all(stack: Stack, tenant: str, bodies: list[str]) -> dict[str, bytes]:
    """Post every body until it is accepted, as a careful client does; 201 bodies by id."""
    headers = stack.headers(tenant)

    def post(numbered: tuple[int, str]) -> httpx.Response:
        number, body = numbered
        key = {"Idempotency-Key": f"event-{number}"}

        def once() -> httpx.Response | None:
            try:
                return client.post("/api/v1/events", content=body, headers=key)
            except httpx.TransportError:
                return None  # the edge was killed under us; the key makes the repeat safe

        answer = eventually(
            once, until=lambda answer: answer is not None and answer.status_code != 503
        )
        assert answer is not None
        assert answer.status_code == 201, answer.text
        return answer

    with (
        httpx.Client(base_url=stack.api, headers=headers, timeout=30) as client,
        ThreadPoolExecutor(8) as threads,
    ):
        return {
            answer.json()["id"]: answer.content for answer in threads.map(post, enumerate(bodies))
        }


@pytest.mark.parametrize("victim", VICTIMS)
def test_killing_any_one_process_loses_nothing_and_doubles_nothing(
    stack: Stack, tenant: str, victim: str
) -> None:
    stack.headers(tenant)  # a token from before the issuer may be killed
    bodies = many_events(500)
    with ThreadPoolExecutor(1) as threads:
        posting = threads.submit(post_all, stack, tenant, bodies)
        eventually(lambda: stack.counts(tenant), until=lambda counts: counts[0] >= 50)
        stack.kill(victim)
        accepted = posting.result(timeout=120)
    assert len(accepted) == 500
    eventually(lambda: stack.counts(tenant)[1], until=lambda count: count == 500)
    assert stack.counts(tenant) == (500, 500)
    rows = stack.sql(f"SELECT toString(id) FROM events WHERE tenant = '{tenant}'")
    assert {event_id for [event_id] in rows} == accepted.keys()
    some = dict(itertools.islice(accepted.items(), 0, None, 5))  # each costs a query
    assert list(itertools.islice(missing(stack, tenant, some), 3)) == []

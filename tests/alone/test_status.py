"""GET /api/v1/status: it grows while somebody is away, is over when they are back, and never hangs."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from contracts import paths
from contracts.topics import DAY_MS
from tests.builders import an_event
from tests.stack import Stack, events, eventually

POSTED = 7
NOTHING = {"records_behind": 0, "seconds_behind": 0.0, "seconds_until_loss": None}
RETENTION_S = 30 * DAY_MS / 1000


def status(client: httpx.Client) -> dict[str, Any]:
    """Empty while it is not known."""
    answer = client.get(paths.STATUS)
    return dict(answer.json()) if answer.status_code == 200 else {}


def test_the_view_is_behind_while_the_materializer_is_away(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client:
        with stack.freeze("materialize"):
            some = [an_event(entity_id=f"entity-{number}") for number in range(POSTED)]
            assert client.post(paths.BATCH, json=some).json()["accepted"] == POSTED
            found = eventually(
                lambda: status(client),
                until=lambda now: (
                    bool(now)
                    and now["view"]["records_behind"] >= POSTED
                    and now["view"]["seconds_behind"] > 1
                    and now["delivery"] == NOTHING
                ),
            )
            view = found["view"]
            left_s = RETENTION_S - view["seconds_behind"]
            assert abs(view["seconds_until_loss"] - left_s) < 0.01
            shown = events("status", home=stack.home).stdout
            assert "records behind" in shown
            assert "Kafka keeps it for 29 days" in shown
        eventually(lambda: status(client).get("view"), until=lambda view: view == NOTHING)


def test_all_who_ask_share_a_reading(stack: Stack, tenant: str) -> None:
    with stack.client(tenant) as client, ThreadPoolExecutor(20) as many:
        eventually(lambda: status(client))
        seen = {each["measured_at"] for each in many.map(lambda _: status(client), range(40))}
        assert len(seen) <= 2


def test_without_kafka_it_is_answered_in_time_that_it_is_not_known(
    stack: Stack, tenant: str
) -> None:
    with stack.client(tenant) as client:
        with stack.freeze("kafka"):
            began_s = time.monotonic()
            answer = eventually(
                lambda: client.get(paths.STATUS), until=lambda answer: answer.status_code != 200
            )
            assert answer.status_code == 503
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.headers["Retry-After"]
            assert "not known" in answer.json()["detail"]
            assert time.monotonic() - began_s < 30
            assert "not known" in events("status", home=stack.home).stderr
        eventually(lambda: status(client))


def test_nobody_asks_without_a_token(stack: Stack) -> None:
    assert httpx.get(stack.api + paths.STATUS, timeout=30).status_code == 401

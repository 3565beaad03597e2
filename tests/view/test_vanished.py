"""A rebuild that would show less than the table in use does not swap; killed at any instant it goes on."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from unittest import mock

import pytest

import processors.upkeep.coverage
from processors.consume.replay import Log
from processors.upkeep.database import Database
from processors.upkeep.rebuild import Outcome, Rebuild
from processors.upkeep.swap import FRESH_TABLE
from service.clickhouse import ClickHouse
from service.connections import ClickHouseConnection
from tests.builders import an_event, many_events
from tests.faults.servers import kills, seed
from tests.stack import eventually
from tests.view.conftest import View, by_parts, silent

pytestmark = pytest.mark.long

KILLS_FOR_EACH = 4
"""Of those of `kills`: one of these takes two seconds."""


def test_a_rebuild_that_would_show_less_does_not_swap_and_says_what(
    view: View, tenant: str
) -> None:
    ids = view.post(tenant, many_events(60))
    view.audit("--to-end")
    event_id = ids[7]
    view.forget()  # so what is there is copied from the table in use
    spoiled = processors.upkeep.coverage.COPY.replace("WHERE ", f"WHERE id != '{event_id}' AND ", 1)
    outcomes: list[Outcome] = []

    async def rebuild(log: Log, clickhouse: ClickHouse, connection: ClickHouseConnection) -> None:
        again = Rebuild(log, 0, Database(clickhouse, connection))
        outcomes.append(await again(keep_old=False, progress=silent))

    partition, offset = view.position(event_id)
    with mock.patch("processors.upkeep.coverage.COPY", spoiled):
        by_parts(view, rebuild)
    [(account, swapped, kept)] = outcomes
    assert not swapped
    assert not account.proven
    assert kept == FRESH_TABLE
    detail = f"event {event_id} of {tenant} would not be shown any more"
    assert account.wrong["vanished"] == [(partition, offset, detail)]
    assert view.stack.counts(tenant) == (60, 60)  # in use as before
    view.audit()
    view.rebuild()  # goes on, and brings it
    assert view.stack.counts(tenant) == (60, 60)
    assert FRESH_TABLE not in view.tables()
    view.audit()


def test_what_a_tombstone_of_the_first_release_erased_may_vanish(view: View, tenant: str) -> None:
    kept, lingers = view.post(tenant, many_events(2))
    view.audit("--to-end")
    view.execute(
        "INSERT INTO erasures (tenant, id, erased_at, kafka_partition, kafka_offset, final)"
        f" SELECT tenant, id, received_at, kafka_partition, kafka_offset + 1, false FROM events"
        f" WHERE id = '{lingers}'"
    )
    view.rebuild()
    assert view.stack.sql(f"SELECT id FROM events WHERE tenant = '{tenant}'") == [[kept]]
    view.audit()


@contextmanager
def posting_and_erasing(view: View, tenant: str) -> Iterator[tuple[list[str], list[str]]]:
    """All the while: ids of what was accepted and kept, and of what was erased."""
    kept: list[str] = []
    erased: list[str] = []
    over = threading.Event()

    def work() -> None:
        with view.stack.client(tenant) as client:
            while not over.is_set():
                number = len(kept) + len(erased)
                key = {"Idempotency-Key": f"k{number}"} if number % 2 else {}
                event = an_event(entity_id=str(number % 7))
                answer = client.post("/api/v1/events", json=event, headers=key)
                assert answer.status_code == 201, answer.text
                event_id = answer.json()["id"]
                if number % 3:
                    kept.append(event_id)
                    continue
                if client.delete(f"/api/v1/events/{event_id}").status_code == 204:
                    client.post(
                        "/api/v1/events", json=event, headers=key or {"Idempotency-Key": "x"}
                    )
                    erased.append(event_id)
                else:  # it was not visible in time
                    kept.append(event_id)

    with ThreadPoolExecutor(1) as threads:
        working = threads.submit(work)
        try:
            eventually(lambda: len(erased) > 5)
            yield kept, erased
        finally:
            over.set()
        working.result()


def test_killed_at_any_instant_under_posts_and_erasures_it_goes_on(view: View, tenant: str) -> None:
    chosen, instants = random.Random(number := seed()), KILLS_FOR_EACH * kills()
    print(f"seed {number}")
    view.post(tenant, many_events(500))
    argv = [sys.executable, "-m", "cli", "rebuild", "--yes", "--home", str(view.stack.home)]
    with posting_and_erasing(view, tenant) as (kept, erased):
        for _ in range(instants):
            with subprocess.Popen(argv, stderr=subprocess.DEVNULL, env=os.environ) as process:
                try:
                    process.wait(chosen.uniform(0.9, 2.5))
                except subprocess.TimeoutExpired:
                    process.kill()
        view.rebuild()
    assert view.audit("--to-end")["counts"]["missing"] == 0
    rows = [
        event_id
        for [event_id] in view.stack.sql(
            f"SELECT toString(id) FROM events WHERE tenant = '{tenant}'"
        )
    ]
    assert len(rows) == len(set(rows))
    assert set(kept) <= set(rows)
    assert not set(erased) & set(rows)

"""Events under Idempotency-Keys: the first in the log wins whatever clocks say, an erasure is final.

F3 to F7 of the formal reading: orders of posts, erasures, expiry and clocks after which the view was wrong.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from uuid_utils import uuid7

from contracts.clickhouse.schema import TableSettings
from contracts.clickhouse.ttl import modify_expires_at, modify_ttl, retention_ttl
from contracts.encoding.wire import encode_erasure
from contracts.ids import derived_id
from local.stack import Ports, environment
from tests.builders import an_event
from tests.processes import STOP_TIMEOUT_S, free_port, is_ready
from tests.stack import eventually
from tests.view.conftest import View
from tests.view.records import append, parsed, record
from tests.view.shown import is_shown, rows, under, visible

pytestmark = pytest.mark.long

MINUTE_MS = 60 * 1000
DAY_MS = 24 * 60 * MINUTE_MS


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def passed(view: View, tenant: str) -> None:
    """Return when the materializer has passed all that was posted about the entity before."""
    with view.stack.client(tenant) as client:
        marker = client.post("/api/v1/events", json=an_event()).json()["id"]
        visible(client, marker)


def test_one_key_for_two_entities_gives_two_events_which_a_rebuild_does_not_change(
    view: View, tenant: str
) -> None:
    """F3: the later body won, and a rebuild changed what GET answers."""
    with view.stack.client(tenant) as client:
        ids = [under(client, "one", entity_id=f"entity-{n}") for n in range(4)]
        assert len(set(ids)) == 4
        before = [visible(client, event_id) for event_id in ids]
        assert [each["entity_id"] for each in before] == [f"entity-{n}" for n in range(4)]
        assert [under(client, "one", entity_id=f"entity-{n}") for n in range(4)] == ids
        view.rebuild()
        assert [visible(client, event_id) for event_id in ids] == before
    view.audit("--to-end")


def test_of_two_bodies_the_first_in_the_log_wins_also_where_no_edge_knows_it(
    view: View, tenant: str
) -> None:
    """F3: an edge that has not seen the first body accepts the second; the log decides."""
    with view.stack.client(tenant) as client:
        event_id = under(client, "one", entity_name="first")
        again = client.post(
            "/api/v1/events",
            json=an_event(entity_name="second"),
            headers={"Idempotency-Key": "one"},
        )
        assert again.status_code == 422
        assert event_id in again.text
        body = an_event(entity_name="second")
        append(view.stack, record(tenant, body, event_id, now_ms()))  # as another edge does
        passed(view, tenant)
        assert visible(client, event_id)["entity_name"] == "first"
        view.rebuild()
        assert visible(client, event_id)["entity_name"] == "first"
    assert rows(view, event_id) == 1
    view.audit("--to-end")


@pytest.fixture
def a_day(view: View) -> Iterator[None]:
    """Events are kept for a day, as migrate arranges it."""

    def keep(days: int | None) -> None:
        ttl = retention_ttl(TableSettings(retention_days=days))
        view.execute(modify_ttl(ttl, "events", ""))
        view.execute(modify_expires_at(ttl, "events", ""))

    keep(1)
    yield
    keep(None)
    view.rebuild()  # what expired is in the log


def test_a_key_is_used_again_after_its_event_expired_and_the_new_one_is_found(
    view: View, tenant: str, a_day: None
) -> None:
    """F4: it was answered 201 and never found; after a rebuild an event that was shown was gone."""
    ids = [derived_id(tenant, b"%d" % n, 0, "1000144") for n in range(2)]
    old = [record(tenant, an_event(entity_name="old"), id_, now_ms() - 2 * DAY_MS) for id_ in ids]
    with view.stack.client(tenant) as client:
        append(view.stack, old[0])
        passed(view, tenant)
        view.execute("OPTIMIZE TABLE events FINAL")
        assert rows(view, ids[0]) == 0
        append(view.stack, old[1])  # no merge has removed it when the key comes again
        assert [under(client, str(n), entity_name="new") for n in range(2)] == ids
        passed(view, tenant)
        for event_id in ids:
            assert visible(client, event_id)["entity_name"] == "new"
        view.audit("--to-end")
        view.rebuild()
        view.execute("OPTIMIZE TABLE events FINAL")
        for event_id in ids:
            assert visible(client, event_id)["entity_name"] == "new"
            assert rows(view, event_id) == 1
        assert [under(client, str(n), entity_name="new") for n in range(2)] == ids
        passed(view, tenant)
        view.execute("OPTIMIZE TABLE events FINAL")
    view.audit("--to-end")
    assert [rows(view, event_id) for event_id in ids] == [1, 1]


@pytest.mark.parametrize("skew_ms", [-45 * MINUTE_MS, 45 * MINUTE_MS])
def test_clocks_that_are_off_lose_nothing_and_bring_nothing_back(
    view: View, tenant: str, skew_ms: int
) -> None:
    """F5: a new event after an erasure, through an edge 45 minutes behind, was lost as "erased"."""
    erased, repeated, behind = (
        derived_id(tenant, name, 0, "1000144") for name in (b"e", b"r", b"b")
    )
    body, off_ms = an_event(), now_ms() + skew_ms
    append(
        view.stack,
        record(tenant, body, erased, now_ms()),
        record(tenant, body, repeated, now_ms()),
        encode_erasure(tenant, parsed(body, erased), str(uuid7()), off_ms),
        record(tenant, body, erased, off_ms),  # a repeat: stays away
        record(tenant, an_event(entity_name="second"), repeated, off_ms),
        record(tenant, body, behind, off_ms),  # new ones, with a key and without
        record(tenant, body, unkeyed := str(uuid7()), off_ms),
    )
    passed(view, tenant)
    for _ in range(2):
        with view.stack.client(tenant) as client:
            assert visible(client, repeated)["entity_name"] is None
            visible(client, behind)
            eventually(lambda: rows(view, unkeyed))  # a search shows none that is still to come
            assert client.get(f"/api/v1/events/{unkeyed}").status_code == 200
        assert not is_shown(view, tenant, erased)
        eventually(lambda: rows(view, erased), until=lambda count: count == 0)
        assert [rows(view, each) for each in (repeated, behind, unkeyed)] == [1, 1, 1]
        account = view.audit("--to-end")
        assert account["counts"]["missing"] == 0
        view.rebuild()


def test_a_repeat_among_erasures_is_stored_once(view: View, tenant: str) -> None:
    """F6: every look at old erasures forgot the name, and the repeat was stored beside the first."""
    event_id, body = derived_id(tenant, b"f6", 0, "1000144"), an_event()
    others = [derived_id(tenant, b"o%d" % n, 0, "1000144") for n in range(6)]
    view.execute("SYSTEM STOP MERGES events")  # which would leave one
    try:
        append(view.stack, *[record(tenant, body, each, now_ms()) for each in [event_id, *others]])
        for other in others:
            erasure = encode_erasure(tenant, parsed(body, other), str(uuid7()), now_ms())
            append(view.stack, erasure, record(tenant, body, event_id, now_ms()))
            passed(view, tenant)
            assert rows(view, event_id) == 1
            if other == others[2]:
                view.stack.kill("materialize")  # what it knows is read from the table again
    finally:
        view.execute("SYSTEM START MERGES events")
    assert view.audit("--to-end")["counts"]["twice"] == 0


@contextmanager
def another_materializer(view: View) -> Iterator[None]:
    """Two share the partitions while the context is open."""
    port = free_port()
    settings = environment(Ports(view.stack.port_base)) | {"EVENTS_PROBES__PORT": str(port)}
    with subprocess.Popen(
        [sys.executable, "-m", "processors", "materialize"],
        env=os.environ | settings,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            eventually(lambda: is_ready(f"http://127.0.0.1:{port}/readyz"))
            yield
        finally:
            process.terminate()
            process.wait(STOP_TIMEOUT_S)


def test_a_repeat_right_after_the_delete_is_never_shown_with_two_materializers(
    view: View, tenant: str
) -> None:
    """F7: it was shown in 4 of 9 tries, and the audit did not list it."""
    with another_materializer(view), view.stack.client(tenant) as client:
        erased: list[str] = []
        for number in range(20):
            entity_id = f"{number}"
            event_id = under(client, f"key-{number}", entity_id=entity_id)
            visible(client, event_id)
            assert client.delete(f"/api/v1/events/{event_id}").status_code == 204
            assert under(client, f"key-{number}", entity_id=entity_id) == event_id
            erased.append(event_id)
            behind = client.post("/api/v1/events", json=an_event(entity_id=entity_id)).json()["id"]
            visible(client, behind)
            found = client.get("/api/v1/events").json()["events"]
            assert event_id not in {each["id"] for each in found}
        with ThreadPoolExecutor(len(erased)) as threads:  # each waits for what may be on its way
            paths = [f"/api/v1/events/{event_id}" for event_id in erased]
            assert {each.status_code for each in threads.map(client.get, paths)} == {404}
    listed = ", ".join(f"'{each}'" for each in erased)
    eventually(
        lambda: view.one(f"SELECT toUInt32(count()) FROM events WHERE id IN ({listed})"),
        until=lambda count: count == 0,
    )
    assert view.stack.counts(tenant) == (20, 20)
    account = view.audit("--to-end")
    assert account["counts"]["erased"] >= 40

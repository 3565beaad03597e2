"""F2: erasures that ClickHouse has no room for are owed durably, and nobody shows what is owed."""

import pytest

from tests.builders import an_event
from tests.stack import eventually
from tests.view.conftest import View
from tests.view.shown import is_shown, rows, under, visible

pytestmark = pytest.mark.long

FULL = "number_of_mutations_to_throw = 1, number_of_mutations_to_delay = 0"
OWED = "SELECT toUInt32(count()) FROM erasures FINAL WHERE owed AND tenant = '{tenant}'"
NOTED = "SELECT toUInt32(uniqExact(id)) FROM erasures WHERE tenant = '{tenant}'"


def test_what_is_owed_survives_a_kill_and_is_never_shown(view: View, tenant: str) -> None:
    """After a kill two of three erased events were shown for good, one by its repeat of 15 minutes later."""
    with view.stack.client(tenant) as client:
        ids = [under(client, f"{n}", entity_id="1") for n in range(3)]
        for event_id in ids:
            visible(client, event_id)
        view.execute(f"ALTER TABLE events MODIFY SETTING {FULL}")
        view.execute("SYSTEM STOP MERGES events")
        try:
            for event_id in ids:
                assert client.delete(f"/api/v1/events/{event_id}").status_code == 204
            noted = NOTED.format(tenant=tenant)
            eventually(lambda: view.one(noted), until=lambda count: count == 3)
            eventually(lambda: view.one(OWED.format(tenant=tenant)))
            assert any(rows(view, event_id) for event_id in ids)  # no room: they are there
            view.stack.kill("materialize")
            assert not any(is_shown(view, tenant, event_id) for event_id in ids)
            for number in range(3):  # the client tries again: it stays erased
                under(client, f"{number}", entity_id="1")
            behind = client.post("/api/v1/events", json=an_event(entity_id="1")).json()["id"]
            visible(client, behind)
            assert not any(is_shown(view, tenant, event_id) for event_id in ids)
        finally:
            view.execute("SYSTEM START MERGES events")
            view.execute(
                "ALTER TABLE events RESET SETTING number_of_mutations_to_throw,"
                " number_of_mutations_to_delay"
            )
    eventually(
        lambda: sum(rows(view, event_id) for event_id in ids),
        until=lambda count: count == 0,
        within_s=120,  # what is owed is tried each half minute
    )
    eventually(lambda: view.one(OWED.format(tenant=tenant)), until=lambda count: count == 0)
    assert view.stack.counts(tenant) == (1, 1)
    view.audit("--to-end")

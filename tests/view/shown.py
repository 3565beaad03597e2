"""What a client sees of an event: posted under a key, and shown or not, by GET and in the table."""

from typing import Any

import httpx

import tests.visible
from contracts.ids import is_derived
from tests.builders import an_event
from tests.stack import eventually
from tests.view.conftest import View


def under(client: httpx.Client, key: str, **changes: Any) -> str:
    """Post an event under this key, until it is accepted; its id."""
    answer = client.post(
        "/api/v1/events", json=an_event(**changes), headers={"Idempotency-Key": key}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def visible(client: httpx.Client, event_id: str) -> dict[str, Any]:
    """The event, once GET answers it; one with an id of its own once the view has it."""
    if not is_derived(event_id):
        tests.visible.visible(client, event_id)
    answer = eventually(
        lambda: client.get(f"/api/v1/events/{event_id}"),
        until=lambda answer: answer.status_code == 200,
    )
    event: dict[str, Any] = answer.json()
    return event


def rows(view: View, event_id: str) -> int:
    return int(view.one(f"SELECT toUInt32(count()) FROM events WHERE id = '{event_id}'"))


def is_shown(view: View, tenant: str, event_id: str) -> bool:
    """Whether GET or a search shows it."""
    with view.stack.client(tenant) as client:
        found = client.get("/api/v1/events").json()["events"]
        return client.get(f"/api/v1/events/{event_id}").status_code == 200 or any(
            each["id"] == event_id for each in found
        )
